"""What an export reads of a period: its figures are those of its rows, whatever has happened to an invoice since."""

from __future__ import annotations

from decimal import Decimal

from starter.console.pages.periods.figures import by_currency
from storage.exports.period import EDITED, reading_period
from storage.invoices.invoices import block_invoice
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.summary import SummaryBy, summarize
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


async def test_every_sum_has_what_an_accepted_edit_changes(db: Database) -> None:
    """It stands by itself, so that ordinary addition gives what Stripe has; of a dead invoice, nothing counts."""
    await settled_world(db)
    before = {each.currency: each.net for each in by_currency(await totals.by_state(db, "2022-05"), ())}
    await execute(
        db,
        "UPDATE invoice SET accepted_subtotal = amount - 2000, accepted_digest = 'x' WHERE key IN (:a, :b)",
        a=A, b=B,
    )  # fmt: skip
    net = before | {"usd": before["usd"] - 2000}
    assert {each.currency: each.net for each in by_currency(await totals.by_state(db, "2022-05"), ())} == net
    for by in SummaryBy:
        rows = [row async for row in summarize(db, "2022-05", by, None)]
        assert {code: sum(row.net for row in rows if row.currency == code) for code in net} == net, by
        edits = [row for row in rows if row.edited]
        assert [(row.subject, row.edited, row.settled) for row in edits if by in (SummaryBy.CLASS, SummaryBy.DAY)] == (
            [("(edited in Stripe)", -2000, 0)] if by in (SummaryBy.CLASS, SummaryBy.DAY) else []
        )
    [compared] = [row async for row in summarize(db, "2022-06", SummaryBy.CURRENCY, "2022-05") if row.before != 0][-1:]
    assert compared.before == net["usd"]
    classes = [each for each in await totals.by_class(db, "2022-05") if each.currency == "usd"]
    assert (classes[-1].workspace_class, classes[-1].amount) == ("(edited in Stripe)", -2000)
    [largest] = await totals.largest_accounts(db, "2022-05", "usd", 1)
    assert (largest.edited, largest.net) == (-2000, largest.billed - 2000 - largest.credited)
    async with reading_period(db, "2022-05") as reading:
        found = {each.key: each.edited async for each in reading.invoices()}
        figures = await reading.figures()
        lines = [line async for line in reading.lines() if line.currency == "usd"]
        days = [day async for day in reading.days() if day.currency == "usd"]
    assert (found[A], found[B], found[C]) == (-2000, 0, 0)
    usd = [each for each in figures if each.currency == "usd"]
    assert sum(line.amount for line in lines) == sum(each.amount - each.dead + each.edited for each in usd)
    assert [(line.key, line.line_no, line.amount) for line in lines if line.kind == EDITED] == [(A, None, -2000)]
    assert sum(day.amount for day in days) == sum(each.with_days for each in usd)  # our usage alone
