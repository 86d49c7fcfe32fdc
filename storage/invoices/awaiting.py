"""The invoices of a period that wait for a person's approval, with what each account was billed the month before."""

from __future__ import annotations

from dataclasses import dataclass

from billing.periods import BillingPeriod
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class AwaitingInvoice:
    """An invoice that waits for an approval. Amounts are in minor units.

    `reason`: why a limit holds it; None if it waits because of its policy. `previous`: the account's live invoices of
    the month before in the same currency; None if there is none. `waits`: how many of the period wait in all.
    """

    key: str
    attribution_id: str
    currency: str
    amount: int
    reason: str | None
    previous: int | None
    account_name: str | None = None
    waits: int = 1


async def awaiting_of(db: Database, period: BillingPeriod, most: int | None = None) -> list[AwaitingInvoice]:
    """Return the invoices of a period that wait for an approval or that a limit holds, by key, or the first ones.

    Those that were edited in Stripe are not among them: each is a decision of its own.
    """
    asked = {"period": str(period), "previous": str(period.previous()), "most": most}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("invoices/awaiting", "awaiting"), asked)
        return [record(AwaitingInvoice, row) for row in rows]
