"""Details of customers that were imported, until Stripe has them. Only the operator's role reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.details import DETAILS, CustomerDetails
from billing.usage.rows import AccountRow
from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class UnsentDetails:
    """Details that Stripe does not have yet of an account's customer; without a customer, it is to be found or made."""

    attribution_id: str
    stripe_customer_id: str | None
    details: CustomerDetails = field(repr=False)


def details_columns(details: Sequence[CustomerDetails]) -> dict[str, list[object]]:
    """Return the details as columns, for a statement."""
    columns: dict[str, list[object]] = {name: [getattr(each, name) for each in details] for name in DETAILS}
    columns["address"] = [_as_json(each) for each in details]
    return columns


def _as_json(details: CustomerDetails) -> str | None:
    return None if details.address is None else json.dumps(dict(details.address))


async def write_details(connection: AsyncConnection, rows: Sequence[AccountRow]) -> None:
    """Store the details that the rows give, and mark those that change as unsent. The accounts must exist."""
    given = [row for row in rows if row.details]
    if given:
        await connection.execute(
            statement("accounts/details", "write"),
            {
                "accounts": [row.attribution_id for row in given],
                **details_columns([row.details for row in given]),
            },
        )


async def unsent_details(db: Database, after: str, limit: int) -> list[UnsentDetails]:
    """Return the details that Stripe does not have yet, of up to `limit` accounts after `after`."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/details", "unsent"), {"after": after, "limit": limit})
        return [
            UnsentDetails(
                row["attribution_id"],
                row["stripe_customer_id"],
                CustomerDetails(**{name: row[name] for name in DETAILS}),
            )
            for row in found.mappings()
        ]


async def record_sent(
    db: Database, sent: UnsentDetails, stripe_customer_id: str, *, email: bool, address: bool | None
) -> bool:
    """Record that Stripe has these details, and what its customer has now.

    Returns False if the account has another customer, or another account has this one.
    """
    async with db.transaction() as connection:
        recorded = await connection.execute(
            statement("accounts/details", "sent"),
            {
                "attribution_id": sent.attribution_id,
                "customer": stripe_customer_id,
                "email_in_stripe": email,
                "address_in_stripe": address,
                "name": sent.details.name,
                "email": sent.details.email,
                "address": _as_json(sent.details),
                "tax_id": sent.details.tax_id,
            },
        )
        if recorded.rowcount:
            await connection.execute(
                statement("accounts/accounts", "set_customer_of_invoices"), {"accounts": [sent.attribution_id]}
            )
        return bool(recorded.rowcount)
