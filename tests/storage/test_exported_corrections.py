"""What an export, the totals and the summaries read of corrected invoices, and of those that charge a correction."""

from __future__ import annotations

from typing import NamedTuple

from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.exports.period import reading_period
from storage.invoices.credit_states import record_issued
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.summary import SummaryBy, summarize
from tests.storage.audits import move
from tests.storage.corrections.correcting import bill, correct, notes, replace_facts
from tests.storage.usage import DAY, add_account, add_instances, card, instance, june, may, scope

LOWERED, RAISED, CHARGING = "2022-05/team:a/period", "2022-05/team:b/period", "2022-06/team:b/period"


async def corrected_months(db: Database) -> None:
    """May of a is lowered from four days to one, by an issued credit. May of b costs two days more, charged in June."""
    for name in ("team:a", "team:b"):
        await add_account(db, name)
    of_b = {"attribution_id": "team:b"}
    await bill(db, card(), instance("a", may(2), may(6)), instance("b", may(2), may(4), **of_b))
    await replace_facts(db, instance("a", may(3), may(4)), instance("b", may(2), may(4), workspace_class="xl", **of_b))
    await correct(db, LOWERED)
    await correct(db, RAISED)
    (note,) = await notes(db, LOWERED)
    await record_issued(db, note.key, "cn_1", may(35))
    await bill(db, card(), instance("later", may(35), may(36), **of_b), of=june(attribution_id="team:b"))


class Sums(NamedTuple):
    """An export's sums, in minor units: of invoices, lines and days, and of credits by invoices and by notes."""

    invoices: int
    lines: int
    days: int
    credited: int
    notes: int


async def exported(db: Database, period: str) -> Sums:
    async with reading_period(db, period) as reading:
        invoices = [each async for each in reading.invoices()]
        figures = await reading.figures()
        assert sum(each.amount for each in figures) == sum(each.with_days for each in figures)
        assert sum(each.credited for each in figures) == sum(each.credited for each in invoices)
        return Sums(
            sum(each.amount for each in invoices),
            sum([each.amount async for each in reading.lines()]),
            sum([each.amount async for each in reading.days()]),
            sum(each.credited for each in invoices),
            sum([each.counts async for each in reading.credit_notes()]),
        )


async def test_each_month_exports_what_it_billed_and_credited(db: Database) -> None:
    await corrected_months(db)
    billed, credited, charged = 6 * DAY, 3 * DAY, DAY + 2 * DAY
    assert await exported(db, "2022-05") == (billed, billed, billed, credited, credited)
    assert await exported(db, "2022-06") == (charged, charged, charged, 0, 0)


async def test_both_months_together_come_to_the_bills_as_corrected(db: Database) -> None:
    """A day of a, four days' price of b in May, and b's day of June."""
    await corrected_months(db)
    for by in SummaryBy:
        net = [sum([row.net async for row in summarize(db, period, by, None)]) for period in ("2022-05", "2022-06")]
        assert net == [3 * DAY, 3 * DAY], by
    assert sum(net) == DAY + 4 * DAY + DAY
    classes = {each.workspace_class: each.amount for each in await totals.by_class(db, "2022-06")}
    assert sum(classes.values()) == 3 * DAY


async def test_an_invoice_that_is_corrected_before_its_books_agree_has_the_days_that_it_billed(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(6)))
    await claim_page(db, scope(), card())
    await move(db, LOWERED, InvoiceState.DRAFT, InvoiceState.FINALIZED)
    await replace_facts(db, instance("a", may(3), may(4)))
    assert await correct(db, LOWERED) is not None
    await move(db, LOWERED, InvoiceState.BILLED)
    async with reading_period(db, "2022-05") as reading:
        days = [(each.day, each.amount) async for each in reading.days()]
    assert days == [(may(day).date(), DAY) for day in (2, 3, 4, 5)]
