"""Totals of periods, accounts and invoices: the same whether days are summed up already, or wait for it."""

from __future__ import annotations

from collections import Counter
from datetime import date

from billing.invoice.states import BILLED as SETTLED
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.days import sum_up
from tests.storage.audits import A, B
from tests.storage.settled_world import OF_JUNE, settled_world


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
