"""Every instant of an instance has one fate, and they add up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice, record_draft
from storage.postgres.database import Database
from storage.schema.tables import METADATA
from storage.usage.explain import Explanation, explain_instance
from storage.usage.standing import CurrencyRuns
from tests.storage.usage import (
    HOUR_US,
    add_account,
    add_instances,
    card,
    execute,
    instance,
    june,
    may,
    put_window,
    scope,
)

DAY_US = 24 * HOUR_US
KEY = "2022-05/team:a/period"


async def explain(
    db: Database, instance_id: str = "a", now: datetime | None = None, bill_after: datetime | None = None
) -> Explanation:
    found = await explain_instance(
        db,
        instance_id,
        now=now or may(40),
        bill_after=bill_after,
        rate_card=card(effective_from=may(3)),
        charge_on="own",
    )
    assert found is not None
    assert sum(each.duration_us for each in found.intervals) == found.runtime_us
    for earlier, later in zip(found.intervals, found.intervals[1:], strict=False):
        assert earlier.end == later.start
    return found


def fates(found: Explanation) -> list[tuple[str, float]]:
    return [(each.fate, each.duration_us / DAY_US) for each in found.intervals]


async def test_each_instant_has_one_fate_in_the_order_of_reasons(db: Database) -> None:
    await add_account(db, "team:a", (may(2), may(20)), (may(21), None), bill_after=may(4))
    await add_instances(db, instance("a", may(1)))
    await claim_page(db, scope(cutoff=may(10)), card(effective_from=may(3)))
    assert fates(await explain(db, now=may(25))) == [
        ("uncovered", 1),
        ("before_bill_after", 2),
        ("open", 6),
        ("unbilled", 10),
        ("uncovered", 1),
        ("unbilled", 4),
    ]
    before = await explain(db, now=may(25), bill_after=may(2.5))
    assert fates(before)[1] == ("before_bill_after", 2)
    found = await explain(db, now=may(0))
    assert (found.ended, found.runtime_us, len(found.beyond_runtime)) == (None, 0, 1)


async def test_before_the_first_rate(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(1), may(5)))
    assert fates(await explain(db)) == [("before_first_rate", 2), ("unbilled", 2)]
    assert fates(await explain(db, bill_after=may(2))) == [
        ("before_bill_after", 1),
        ("before_first_rate", 1),
        ("unbilled", 2),
    ]


async def test_a_billed_interval_says_where_and_at_which_rate(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(3), may(40), workspace_class="gpu"))
    await claim_page(db, scope(), card(effective_from=may(3)))
    await claim_page(db, june(), card(effective_from=may(3)))
    await record_draft(db, KEY, "in_1", "cus_1")
    for state in (InvoiceState.FINALIZED, InvoiceState.BILLED, InvoiceState.PAID):
        await move_invoice(db, KEY, state, may(32))
    found = await explain(db)
    assert fates(found) == [("billed", 29), ("open", 8)]
    on = found.intervals[0].on
    assert on is not None
    assert (on.invoice_key, on.invoice_state, on.stripe_invoice_id, on.line_no) == (KEY, "paid", "in_1", 1)
    assert (on.workspace_class, on.rated_as_default, str(on.credits)) == ("gpu", True, f"{29 * 1440}.000000")
    assert found.ended == may(40)


async def test_an_invoice_that_died_gives_back_or_was_written_off(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(3), may(5)))
    await claim_page(db, scope(), card(effective_from=may(3)))
    await execute(db, "UPDATE invoice SET state = 'voided'")
    assert fates(await explain(db)) == [("written_off", 2)]
    await execute(db, "UPDATE invoice SET state = 'draft'")
    await move_invoice(db, KEY, InvoiceState.VOIDED, may(33))
    found = await explain(db)
    assert fates(found) == [("unbilled", 2)]
    [released] = found.released
    assert (released.invoice_key, released.start, released.reason) == (KEY, may(3), "voided")


async def test_a_stop_that_was_corrected_is_distinguished(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(3), may(9)))
    await claim_page(db, scope(), card(effective_from=may(3)))
    await add_instances(db, instance("a", may(4), may(5)))
    found = await explain(db)
    assert fates(found) == [("open", 1)]
    assert [(each.fate, each.start, each.end) for each in found.beyond_runtime] == [
        ("open", may(3), may(4)),
        ("open", may(5), may(9)),
    ]


@pytest.mark.parametrize(
    ("changes", "reason", "days"),
    [
        ({"creation_time": may(5)}, "starts_before_creation", 2),
        ({"started_time": None}, "no_started_time", None),
        ({"stopping_time": may(2)}, "ends_before_start", None),
        ({"attribution_id": None}, "no_attribution_id", 2),
        ({"attribution_id": "no body"}, "malformed_attribution_id", 2),
        ({"attribution_id": "team:unknown"}, "no_such_account", 2),
    ],
)
async def test_an_invalid_instance_says_why(
    db: Database, changes: dict[str, Any], reason: str, days: float | None
) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(3), **{"stopping_time": may(5), "creation_time": may(3), **changes}))
    found = await explain(db)
    assert found.invalid == reason
    assert fates(found) == ([("invalid", days)] if days else [])


async def test_each_account_and_currency_has_runs_of_its_own(db: Database) -> None:
    await add_account(db, "team:a", (may(1), may(10)))
    await put_window(db, "team:a", "sub_eur", may(12), None, currency="eur")
    await add_account(db, "team:b", currency="jpy")
    await add_instances(db, instance("a", may(3), may(4)), instance("b", may(3), may(4), attribution_id="team:b"))
    await claim_page(db, scope(attribution_id="team:a"), card())
    await execute(db, "UPDATE invoice SET state = 'finalized', stripe_invoice_id = 'in_1', finalized_at = now()")
    at: dict[str, Any] = {"now": may(5), "bill_after": None, "rate_card": card()}
    for charge_on, by_subscription in (("own", False), ("subscription", True)):
        found = await explain_instance(db, "a", charge_on=charge_on, **at)
        assert found is not None
        standing = found.standing_of(found.intervals[0])
        assert standing.runs_in("usd") == CurrencyRuns("usd", "2022-05")
        assert standing.runs_in("eur") == CurrencyRuns("eur", None, by_subscription)
        assert (standing.currency_at(may(3)), standing.currency_at(may(11))) == ("usd", None)
    other = await explain_instance(db, "b", charge_on="own", **at)
    assert other is not None
    assert other.standing_of(other.intervals[0]).runs == (CurrencyRuns("jpy"),)


async def test_an_unknown_instance_is_none(db: Database) -> None:
    assert await explain_instance(db, "x", now=may(1), bill_after=None, rate_card=card(), charge_on="own") is None


_DAYS = st.floats(0, 40).map(lambda day: round(day, 6))
_SPAN = st.tuples(_DAYS, _DAYS).map(sorted).filter(lambda span: span[0] < span[1])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    span=st.tuples(_DAYS, st.none() | _DAYS), windows=st.lists(_SPAN, max_size=3), bill_after=st.none() | _DAYS,
    cutoffs=st.lists(_DAYS, max_size=2), moved=st.none() | _DAYS,
)  # fmt: skip
async def test_the_intervals_add_up_whatever_happened(
    db: Database,
    span: tuple[float, float | None],
    windows: list[tuple[float, float]],
    bill_after: float | None,
    cutoffs: list[float],
    moved: float | None,
) -> None:
    async with db.transaction() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))
    kept: list[tuple[float, float]] = []
    for low, high in sorted(windows):
        if not kept or kept[-1][1] <= low:
            kept.append((low, high))
    placed: list[tuple[datetime, datetime | None]] = [(may(low), may(high)) for low, high in kept]
    await add_account(
        db, "team:a", *(placed or [(may(50), None)]), bill_after=None if bill_after is None else may(bill_after)
    )
    start, stop = span
    await add_instances(db, instance("a", may(start), None if stop is None else may(stop)))
    for number, cutoff in enumerate(sorted(cutoffs)):
        period = {"period": f"2022-0{5 + number}", "cutoff": may(cutoff)}
        await claim_page(db, scope(**period), card(effective_from=may(3), minimum_charge={}))
    if moved is not None:
        await add_instances(db, instance("a", may(start), may(moved)))
    await explain(db, now=may(40))
