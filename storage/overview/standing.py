"""Invoices of all periods for which something is still to come."""

from __future__ import annotations

from dataclasses import dataclass

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class StandingInvoices:
    """The invoices in one state and currency, of all periods.

    `unpaid`: whether they are finalized and neither paid nor given up, even if they were blocked afterwards. `amount`:
    their sum without issued credits, in minor units.
    """

    state: InvoiceState
    unpaid: bool
    currency: str
    invoices: int
    amount: int


async def standing_invoices(db: Database) -> list[StandingInvoices]:
    """Return the invoices that are open, and those that are billed but not paid, by state and currency."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("overview/standing", "standing"))
        return [record(StandingInvoices, row) for row in rows]


async def latest_period(db: Database) -> str | None:
    """Return the newest period that has invoices. None if there are no invoices."""
    async with db.transaction(read_only=True) as connection:
        found: str | None = (await connection.execute(statement("overview/standing", "latest_period"))).scalar()
        return found
