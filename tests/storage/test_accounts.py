from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from billing.invoice.states import InvoiceState
from billing.usage.rows import AccountRow, RowFault
from storage.accounts.accounts import (
    AccountConflictError,
    AccountRecord,
    account_for_customer,
    apply_rows,
    get_account,
    list_accounts,
    upsert_accounts,
)
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, fetch, instance, may, put_window, scope

Window = tuple[datetime, datetime | None]


def row(line: int, attribution_id: str = "team:a", **changes: Any) -> AccountRow:
    values: dict[str, Any] = {"stripe_customer_id": None, "currency": "usd"}
    return AccountRow(line=line, attribution_id=attribution_id, **{**values, **changes})


async def _get(db: Database, attribution_id: str = "team:a") -> AccountRecord:
    account = await get_account(db, attribution_id)
    assert account is not None
    return account


async def _windows(db: Database, attribution_id: str = "team:a") -> list[Window]:
    return [(window.started, window.ended) for window in (await _get(db, attribution_id)).windows]


def _faults(faults: list[RowFault]) -> list[tuple[int, str]]:
    return [(fault.line, fault.column) for fault in faults]


async def test_accounts_with_many_windows(db: Database) -> None:
    rows = [
        row(2, stripe_customer_id="cus_1", bill_after=may(2), started=may(10), ended=may(12)),
        row(3, started=may(1), ended=may(5)),
        row(4, started=may(12)),
        row(5, "team:b", currency="jpy"),
    ]
    for _ in range(2):
        assert await upsert_accounts(db, rows) == []
        account = await _get(db)
        assert (account.stripe_customer_id, account.currency, account.bill_after) == ("cus_1", "usd", may(2))
        assert await _windows(db) == [(may(1), may(5)), (may(10), may(12)), (may(12), None)]
        assert await _windows(db, "team:b") == []
    assert [account.attribution_id for account in await list_accounts(db)] == ["team:a", "team:b"]
    assert [a.attribution_id for a in await list_accounts(db, "team:a", 5)] == ["team:b"]
    found = await account_for_customer(db, "cus_1")
    assert found == await _get(db)
    assert await account_for_customer(db, "cus_2") is None
    assert await get_account(db, "team:c") is None


async def test_what_a_row_leaves_empty_stays(db: Database) -> None:
    await upsert_accounts(db, [row(2, stripe_customer_id="cus_1", bill_after=may(2))])
    assert await upsert_accounts(db, [row(2, stripe_customer_id="", bill_after=None)]) == []
    account = await _get(db)
    assert (account.stripe_customer_id, account.bill_after) == ("cus_1", may(2))
    assert await upsert_accounts(db, [row(2, stripe_customer_id="cus_2", bill_after=may(3))]) == []
    account = await _get(db)
    assert (account.stripe_customer_id, account.bill_after) == ("cus_2", may(3))


async def test_the_same_start_moves_the_end_and_makes_room(db: Database) -> None:
    await upsert_accounts(db, [row(2, started=may(1))])
    later_first = [row(2, started=may(5)), row(3, started=may(1), ended=may(5))]
    assert await upsert_accounts(db, later_first) == []
    assert await _windows(db) == [(may(1), may(5)), (may(5), None)]
    assert await upsert_accounts(db, [row(2, started=may(5)), row(3, started=may(5), ended=may(6))]) == []
    assert await _windows(db) == [(may(1), may(5)), (may(5), may(6))]
    assert await upsert_accounts(db, [row(2, started=may(5), ended=may(7, us=1))]) == []
    assert await _windows(db) == [(may(1), may(5)), (may(5), may(7, us=1))]


async def test_a_known_end_is_removed_on_request_only(db: Database) -> None:
    await upsert_accounts(db, [row(2, started=may(1), ended=may(5)), row(3, started=may(8))])
    older = [row(2, started=may(1)), row(3, started=may(8), ended=may(9)), row(4, "team:b", started=may(1))]
    assert await upsert_accounts(db, older) == [
        RowFault(
            2,
            "ended",
            "team:a's window from 2022-05-01T00:00:00Z is known to end at 2022-05-05T00:00:00Z: a row without an end "
            "does not reopen it; import the row with its end, or use --reopen",
        )
    ]
    assert await _windows(db) == [(may(1), may(5)), (may(8), may(9))]
    assert await _windows(db, "team:b") == [(may(1), None)]
    lacks_the_column = row(2, started=may(8), missing=frozenset({"ended"}), bill_after=may(3))
    assert await upsert_accounts(db, [lacks_the_column]) == []
    assert await _windows(db) == [(may(1), may(5)), (may(8), may(9))]
    assert (await _get(db)).bill_after == may(3)
    assert await upsert_accounts(db, [row(2, started=may(8))], reopen=True) == []
    assert await _windows(db) == [(may(1), may(5)), (may(8), None)]


async def test_a_subscriptions_window_is_not_moved_by_a_file(db: Database) -> None:
    await upsert_accounts(db, [row(2)])
    await put_window(db, "team:a", "sub_1", may(1), may(5))
    await put_window(db, "team:a", "sub_2", may(5), None)
    for moved, name in (
        (row(2, started=may(1), ended=may(4)), "sub_1"),
        (row(2, started=may(1)), "sub_1"),
        (row(2, started=may(5), ended=may(9)), "sub_2"),
    ):
        for reopen in (False, True):
            (fault,) = await upsert_accounts(db, [moved], reopen=reopen)
            assert (fault.line, fault.column) == (2, "ended")
            assert f"as {name} does: change the subscription in Stripe" in fault.reason
    same = [row(2, started=may(1), ended=may(5)), row(3, started=may(5), bill_after=may(2))]
    assert await upsert_accounts(db, same) == []
    assert await _windows(db) == [(may(1), may(5)), (may(5), None)]
    assert (await _get(db)).bill_after == may(2)


async def test_overlapping_windows_are_refused_and_the_rest_is_kept(db: Database) -> None:
    await upsert_accounts(db, [row(2, started=may(1), ended=may(5)), row(3, started=may(8), ended=may(9))])
    faults = await upsert_accounts(
        db,
        [
            row(2, started=may(4), ended=may(6), bill_after=may(3)),
            row(3, started=may(1), ended=may(9)),
            row(4, started=may(20)),
            row(5, started=may(21)),
            row(6, started=may(5), ended=may(8)),
            row(7, started=may(15), ended=may(14)),
            row(8, "team:b", started=may(1)),
        ],
    )
    assert _faults(faults) == [(2, "started"), (3, "ended"), (5, "started"), (7, "ended")]
    assert "overlaps the one from 2022-05-01" in faults[0].reason
    assert await _windows(db) == [
        (may(1), may(5)),
        (may(5), may(8)),
        (may(8), may(9)),
        (may(20), None),
    ]
    assert (await _get(db)).bill_after is None
    assert await _windows(db, "team:b") == [(may(1), None)]


DIFFERENT = [
    row(2, "team:a", stripe_customer_id="cus_1"),
    row(3, "team:a", stripe_customer_id="cus_2"),
    row(4, "team:a", bill_after=may(1)),
    row(5, "team:b", stripe_customer_id="cus_3"),
    row(6, "team:c", stripe_customer_id="cus_3"),
    row(7, "team:c", stripe_customer_id="cus_z"),
    row(8, "team:d", started=may(1), currency="eur"),
    row(9, "team:d", started=may(1), currency="eur"),
    row(10, "team:d", started=may(1)),
    row(11, "team:e", started=may(1), ended=may(2)),
    row(12, "team:e", started=may(1), ended=may(3)),
    row(13, "team:e", started=may(8)),
    row(14, "team:f", bill_after=may(1)),
    row(15, "team:f", bill_after=may(2)),
    row(16, "team:g", started=may(1), ended=may(2)),
    row(17, "team:g", started=may(1)),
    row(18, "team:g", started=may(1), ended=may(2)),
    row(19, "team:h", started=may(1), kind="trial"),
    row(20, "team:h", started=may(1), kind="paid"),
]


async def test_rows_that_contradict_are_refused_all(db: Database) -> None:
    await upsert_accounts(db, [row(2, "team:z", stripe_customer_id="cus_z")])
    faults = await upsert_accounts(db, DIFFERENT)
    assert [(fault.line, fault.column, *re.findall(r"in line (\d+)", fault.reason)) for fault in faults] == [
        (2, "stripe_customer_id", "3"),
        (3, "stripe_customer_id", "2"),
        (6, "stripe_customer_id", "7"),
        (7, "stripe_customer_id", "6"),
        (8, "currency", "10"),
        (9, "currency", "10"),
        (10, "currency", "8"),
        (11, "ended", "12"),
        (12, "ended", "11"),
        (14, "bill_after", "15"),
        (15, "bill_after", "14"),
        (16, "ended", "17"),
        (17, "ended", "16"),
        (18, "ended", "17"),
        (19, "kind", "20"),
        (20, "kind", "19"),
    ]
    assert faults[7].reason == (
        "team:e: the window has another end in line 12; neither row is imported; leave only the right one in the file"
    )
    assert [a.attribution_id for a in await list_accounts(db)] == ["team:a", "team:b", "team:e", "team:z"]
    assert (await _get(db)).stripe_customer_id is None
    assert await _windows(db, "team:e") == [(may(8), None)]


async def test_rows_of_one_window_that_agree_count_once(db: Database) -> None:
    open_row, ended = row(2, started=may(1)), row(4, started=may(1), ended=may(2))
    plan = await apply_rows(db, [open_row, replace(open_row, line=3), ended, replace(ended, line=5)])
    assert (plan.faults, plan.repeated) == ([], 3)
    assert await _windows(db) == [(may(1), may(2))]
    overlapping = row(2, started=may(1.5))
    plan = await apply_rows(db, [overlapping, replace(overlapping, line=3)])
    assert (_faults(plan.faults), plan.repeated) == ([(2, "started"), (3, "started")], 0)


async def test_the_currency_is_fixed_while_invoices_are_open(db: Database) -> None:
    await add_account(db, customer="cus_1")
    await add_instances(db, instance("i", may(2), may(3)))
    assert await upsert_accounts(db, [row(2, currency="jpy")]) == []
    (key,) = (await claim_page(db, scope(), card())).keys
    faults = await upsert_accounts(db, [row(2)])
    assert _faults(faults) == [(2, "currency")]
    assert "while invoices are open" in faults[0].reason
    await move_invoice(db, key, InvoiceState.DELETED, may(33))
    assert await upsert_accounts(db, [row(2)]) == []


@pytest.mark.waits
async def test_imports_at_once_do_not_mix(db: Database) -> None:
    await upsert_accounts(db, [row(2)])
    results = await asyncio.gather(
        *(upsert_accounts(db, [row(2, started=may(day), ended=may(day + 2))]) for day in range(1, 8))
    )
    windows = await _windows(db)
    assert len(windows) == sum(1 for faults in results if not faults)
    assert all(one[1] <= other[0] for one, other in pairwise(windows) if one[1])


async def test_a_subscription_becomes_a_window_once(db: Database) -> None:
    await upsert_accounts(db, [row(2)])
    for _ in range(2):
        await put_window(db, "team:a", "sub_1", may(1), None)
    await put_window(db, "team:a", "sub_1", may(1), may(5))
    await put_window(db, "team:a", "sub_2", may(5), None)
    assert await _windows(db) == [(may(1), may(5)), (may(5), None)]
    ids = [window.stripe_subscription_id for window in (await _get(db)).windows]
    assert ids == ["sub_1", "sub_2"]


async def test_a_window_of_a_file_becomes_the_subscriptions(db: Database) -> None:
    await upsert_accounts(db, [row(2, started=may(1))])
    await put_window(db, "team:a", "sub_1", may(1), may(4))
    assert await upsert_accounts(db, [row(2, started=may(1), ended=may(4))]) == []
    (window,) = (await _get(db)).windows
    assert (window.stripe_subscription_id, window.ended) == ("sub_1", may(4))


async def test_a_subscription_cancelled_at_once_has_no_window(db: Database) -> None:
    await upsert_accounts(db, [row(2)])
    await put_window(db, "team:a", "sub_1", may(1), may(1))
    await put_window(db, "team:a", "sub_2", may(1), None)
    await put_window(db, "team:a", "sub_2", may(1), may(1))
    assert await fetch(db, "SELECT 1 FROM subscription") == []


async def test_subscriptions_that_cannot_be(db: Database) -> None:
    await upsert_accounts(db, [row(2), row(3, "team:b")])
    await put_window(db, "team:a", "sub_1", may(1), None)
    with pytest.raises(AccountConflictError, match=r"sub_2 from 2022-05-03.* overlaps the one from 2022-05-01"):
        await put_window(db, "team:a", "sub_2", may(3), may(4))
    with pytest.raises(AccountConflictError, match="sub_1 belongs to team:a"):
        await put_window(db, "team:b", "sub_1", may(1), None)
    with pytest.raises(AccountConflictError, match="no account team:c"):
        await put_window(db, "team:c", "sub_3", may(1), None)
    assert await _windows(db) == [(may(1), None)]
