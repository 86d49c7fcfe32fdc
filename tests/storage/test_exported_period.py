"""What an export reads of a period: its figures are those of its rows, whatever has happened to an invoice since."""

from __future__ import annotations

from storage.exports.period import reading_period
from storage.invoices.invoices import block_invoice
from storage.postgres.database import Database
from storage.totals import totals
from tests.storage.audits import A
from tests.storage.settled_world import settled_world


async def test_an_invoice_that_is_blocked_once_it_is_settled_keeps_its_days(db: Database) -> None:
    """The days add up to the figure that they are compared with, and the account has as much billed as before."""
    await settled_world(db)
    before = await totals.largest_accounts(db, "2022-05", "usd", 1)
    await block_invoice(db, A, "Stripe refuses to void it")
    async with reading_period(db, "2022-05") as reading:
        figures = await reading.figures()
        days = [day async for day in reading.days()]
    for currency in ("usd", "jpy"):
        with_days = sum(each.with_days for each in figures if each.currency == currency)
        assert with_days == sum(day.amount for day in days if day.currency == currency) > 0
    assert await totals.largest_accounts(db, "2022-05", "usd", 1) == before
