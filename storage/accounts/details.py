"""Details of customers, until Stripe has them. Only the roles of the operator and of the sources' worker read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping
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
        return [_unsent(row) for row in found.mappings()]


async def unsent_details_of(db: Database, attribution_id: str) -> UnsentDetails | None:
    """Return the details that Stripe does not have yet of one account. None if it has all of them."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/details", "unsent_of"), {"attribution_id": attribution_id})
        row = found.mappings().first()
        return None if row is None else _unsent(row)


def _unsent(row: RowMapping) -> UnsentDetails:
    details = CustomerDetails(**{name: row[name] for name in DETAILS})
    return UnsentDetails(row["attribution_id"], row["stripe_customer_id"], details)


async def is_anothers(db: Database, attribution_id: str, stripe_customer_id: str) -> bool:
    """Return whether this is known to be the customer of another account."""
    given = {"attribution_id": attribution_id, "customer": stripe_customer_id}
    async with db.transaction(read_only=True) as connection:
        return bool((await connection.execute(statement("accounts/details", "is_anothers"), given)).scalar_one())


async def record_in_stripe(db: Database, sent: UnsentDetails, stripe_customer_id: str, source: str) -> bool:
    """Record that Stripe has these details. Whose customer it is, and what it has now, others record.

    What has changed meanwhile is to be sent again, for `source`. Returns False, and records nothing, if the account has
    another customer, or another account has this one.
    """
    async with db.transaction() as connection:
        recorded = await connection.execute(
            statement("accounts/details", "in_stripe"),
            {
                "attribution_id": sent.attribution_id,
                "customer": stripe_customer_id,
                "source": source,
                **_values(sent.details),
            },
        )
        return recorded.first() is not None


def _values(details: CustomerDetails) -> dict[str, object]:
    return {name: values[0] for name, values in details_columns([details]).items()}


async def record_sent(
    db: Database, sent: UnsentDetails, stripe_customer_id: str, *, email: bool, address: bool | None
) -> bool:
    """Record that Stripe has these details, and what its customer has now. What has changed meanwhile is unsent.

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
                **_values(sent.details),
            },
        )
        if recorded.rowcount:
            await connection.execute(
                statement("accounts/accounts", "set_customer_of_invoices"), {"accounts": [sent.attribution_id]}
            )
        return bool(recorded.rowcount)
