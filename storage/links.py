"""Whose a Stripe invoice is: by our key, by its id, by its account, subscription or customer."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from storage.database import Database
from storage.queries import statement


@dataclass(frozen=True)
class Clues:
    """What a Stripe invoice says of itself."""

    key: str | None
    stripe_invoice_id: str
    attribution_id: str | None
    stripe_subscription_id: str | None
    stripe_customer_id: str | None


@dataclass(frozen=True)
class Owner:
    """Our invoice, if it is one; the account of ours that it is for, if any."""

    invoice_key: str | None
    attribution_id: str | None


async def owner(db: Database, clues: Clues) -> Owner:
    """The first clue that leads to something of ours counts, in the order of `Clues`."""
    async with db.transaction(read_only=True) as connection:
        row = (await connection.execute(statement("links", "owner"), asdict(clues))).one()
    return Owner(row.invoice_key, row.attribution_id)
