"""What an export reads of a period: its figures are those of its rows, whatever has happened to an invoice since."""

from __future__ import annotations

from decimal import Decimal

from storage.exports.period import reading_period
from storage.invoices.invoices import block_invoice
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.summary import AcceptedChange, accepted_changes
from tests.storage.audits import A, B
from tests.storage.settled_world import C, settled_world
from tests.storage.usage import execute, fetch


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


async def test_nobody_owes_the_tax_of_a_voided_invoice(db: Database) -> None:
    """It keeps what Stripe charged for it, which neither the export's sums nor the view's count."""
    await settled_world(db)
    await execute(
        db,
        "UPDATE invoice SET stripe_tax = 100, stripe_discount = 10, stripe_total = 1000 WHERE key IN (:a, :b, :c)",
        a=A, b=B, c=C,
    )  # fmt: skip
    async with reading_period(db, "2022-05") as reading:
        found = {each.key: each async for each in reading.invoices()}
    dead, *live = (found[key] for key in (B, A, C))
    assert (dead.stripe_tax, dead.stripe_discount, dead.stripe_total) == (None, None, None)
    assert {(each.stripe_tax, each.stripe_discount, each.stripe_total) for each in live} == {(100, 10, 1000)}
    [view] = await fetch(db, "SELECT sum(tax), sum(discount), sum(total) FROM v_invoice WHERE currency = 'USD'")
    assert tuple(view) == (1, Decimal("0.1"), 10)


async def test_an_edit_that_a_person_accepted_is_shown_by_itself(db: Database) -> None:
    """Of live invoices: what the customer is billed is the amount and the change."""
    await settled_world(db)
    await execute(
        db,
        "UPDATE invoice SET accepted_subtotal = amount - 2000, accepted_digest = 'x' WHERE key IN (:a, :b)",
        a=A, b=B,
    )  # fmt: skip
    async with reading_period(db, "2022-05") as reading:
        found = {each.key: each.accepted_change async for each in reading.invoices()}
    assert (found[A], found[B], found[C]) == (-2000, None, None)
    assert await accepted_changes(db, "2022-05") == [AcceptedChange("usd", 1, -2000)]
    [view] = await fetch(db, "SELECT sum(accepted_change) FROM v_invoice")
    assert tuple(view) == (-20,)
