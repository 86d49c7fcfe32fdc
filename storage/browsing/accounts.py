"""What a list of accounts shows besides the accounts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class LastInvoice:
    """The newest live invoice of an account; `amount` in minor units."""

    attribution_id: str
    key: str
    billing_period: str
    state: InvoiceState
    currency: str
    amount: int


async def last_invoices(db: Database, accounts: Collection[str]) -> dict[str, LastInvoice]:
    """Return, by attribution id, the newest live invoice of each of these accounts that has one."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("browsing/accounts", "last_invoices"), {"accounts": sorted(accounts)})
        return {row.attribution_id: record(LastInvoice, row) for row in rows}
