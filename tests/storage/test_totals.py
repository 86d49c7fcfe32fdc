"""Totals of periods, accounts and invoices: the same whether days are summed up already, or wait for it."""

from __future__ import annotations

from collections import Counter
from datetime import date

from billing.invoice.states import BILLED as SETTLED
from billing.invoice.states import DEAD
from storage.invoices.invoices import block_invoice
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.days import sum_up
from storage.totals.summary import SummaryBy, summarize
from tests.storage.audits import A, B
from tests.storage.settled_world import OF_JUNE, C, settled_world


async def _all(db: Database) -> list[object]:
    return [await totals.by_month(db), await totals.by_class(db, "2022-05"), await totals.by_day(db, "2022-05")]


async def test_classes_days_and_months_are_what_is_settled_by_state(db: Database) -> None:
    await settled_world(db)
    waiting = await _all(db)
    assert await sum_up(db) == 3
    assert await _all(db) == waiting
    settled: Counter[str] = Counter()
    for each in await totals.by_state(db, "2022-05"):
        settled[each.currency] += each.amount if each.state in SETTLED else 0
    for rows in (await totals.by_class(db, "2022-05"), await totals.by_day(db, "2022-05")):
        summed: Counter[str] = Counter()
        for row in rows:
            summed[row.currency] += row.amount
        assert summed == settled
    assert {each.period for each in await totals.by_month(db, "2022-06")} == {"2022-06"}
    assert {each.period for each in await totals.by_month(db)} == {"2022-05", "2022-06"}


async def test_every_summary_adds_up_to_the_amounts_by_state(db: Database) -> None:
    """Billed, open, blocked and credited; what belongs to no class or day has a row of its own."""
    credits = await settled_world(db)
    await block_invoice(db, C, "edited afterwards")  # it stays settled
    by_state = [each for each in await totals.by_state(db, "2022-05") if each.state not in DEAD]
    gross = {
        currency: sum(each.amount for each in by_state if each.currency == currency) for currency in ("usd", "jpy")
    }
    june = await totals.by_state(db, "2022-06")
    for by in SummaryBy:
        rows = [row async for row in summarize(db, "2022-05", by, "2022-06")]
        found = {currency: [row for row in rows if row.currency == currency] for currency in ("usd", "jpy")}
        for currency, own in found.items():
            assert sum(row.settled + row.open + row.blocked for row in own) == gross[currency], by
        usd = found["usd"]
        assert sum(row.credited for row in usd) == sum(credits.values()), by
        assert sum(row.before for row in usd) == sum(each.amount - each.credited for each in june), by
        assert sum(row.blocked for row in usd) == sum(row.open for row in usd) > 0, by
        assert sum(row.blocked for row in found["jpy"]) == 0, by
    classes = {
        row.subject: row async for row in summarize(db, "2022-05", SummaryBy.CLASS, None) if row.currency == "usd"
    }
    assert {name: row.credited for name, row in classes.items()} == {
        "default": credits["amount"], "xl": credits["line"], "": 0,
    }  # fmt: skip


async def test_a_day_is_compared_with_that_of_the_other_month(db: Database) -> None:
    """June has no 31st: in parentheses, what May had then."""
    await settled_world(db)
    rows = {
        row.subject: row async for row in summarize(db, "2022-06", SummaryBy.DAY, "2022-05") if row.currency == "usd"
    }
    of_may = Counter({str(each.day): 0 for each in await totals.invoice_days(db, A)})
    for each in await totals.invoice_days(db, A):
        of_may[str(each.day)] += each.amount
    assert rows["2022-06-03"].before == of_may["2022-05-03"]
    assert rows["2022-05-31"].before == of_may["2022-04-30"]
    assert (rows["(2022-05-31)"].settled, rows["(2022-05-31)"].before) == (0, of_may["2022-05-31"])


async def test_the_largest_accounts_are_compared_after_credits(db: Database) -> None:
    credits = await settled_world(db)
    may = await totals.largest_accounts(db, "2022-05", "usd", 10)
    assert [each.attribution_id for each in may] == ["team:a", "team:d", "team:e"]
    assert (may[0].name, may[0].credited, may[0].open, may[0].before) == ("Aurora Labs", sum(credits.values()), 0, None)
    assert (may[1].billed, may[1].open > 0) == (0, True)
    [june] = await totals.largest_accounts(db, "2022-06", "usd", 1)
    assert june.before == may[0].net
    assert [each.attribution_id for each in await totals.largest_accounts(db, "2022-05", "jpy", 1)] == ["team:c"]


async def test_days_of_an_account_and_of_an_invoice(db: Database) -> None:
    await settled_world(db)
    of_may, of_june = await totals.invoice_days(db, A), await totals.invoice_days(db, OF_JUNE)
    account = await totals.account_days(db, "team:a", date(2022, 1, 1), date(2023, 1, 1))
    assert sum(each.amount for each in account) == sum(each.amount for each in (*of_may, *of_june))
    assert {each.day for each in account} == {each.day for each in (*of_may, *of_june)}
    first = await totals.account_days(db, "team:a", date(2022, 5, 3), date(2022, 5, 4))
    assert [(each.workspace_class, each.duration_us) for each in first] == [("xl", 86_400_000_000)]
    assert await totals.invoice_days(db, B) == []
