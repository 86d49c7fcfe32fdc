from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.invoice.policy import UnknownClass
from billing.invoice.states import InvoiceState
from billing.pricing.rating import RateCard
from storage.accounts.policies import approve_period, hold_period
from storage.claims.claims import claim_page
from storage.invoices.invoices import block_invoice, move_invoice
from storage.periods.listed import list_periods
from storage.periods.periods import (
    ExcludedUsage,
    excluded_instances,
    page_bounds,
    period_progress,
    read_summary,
    write_summary,
)
from storage.postgres.database import Database
from storage.usage.misbilled import MisbilledUsage, misbilled_usage
from tests.storage.usage import (
    HOUR_US,
    add_account,
    add_instances,
    cancellation,
    card,
    execute,
    instance,
    june,
    may,
    scope,
)

DAY_US = 24 * HOUR_US


async def test_pages_cover_all_accounts_once(db: Database) -> None:
    names = sorted(["team:A", "team:B", "team:0", "team:a", "team:a-b", "user:a", "user:z"])
    assert await page_bounds(db, "", 3, 10) == []
    for name in names:
        await add_account(db, name)
    assert await page_bounds(db, "", 3, 10) == [
        ("", names[2]),
        (names[2], names[5]),
        (names[5], names[6]),
    ]
    assert await page_bounds(db, "", 3, 2) == [("", names[2]), (names[2], names[5])]
    assert await page_bounds(db, names[5], 3, 2) == [(names[5], names[6])]
    assert await page_bounds(db, names[6], 3, 2) == []
    assert await page_bounds(db, "", 7, 1) == [("", names[6])]
    after, seen = "", 0
    while bounds := await page_bounds(db, after, 1, 2):
        seen, after = seen + len(bounds), bounds[-1][1]
    assert seen == len(names)


async def test_progress_counts_totals_and_what_waits(db: Database) -> None:
    assert (await period_progress(db, "2022-05")).counts == {}
    for name, currency in (("a", "usd"), ("b", "usd"), ("c", "jpy"), ("d", "eur"), ("e", "usd")):
        await add_account(db, f"team:{name}", currency=currency)
        length = may(2, us=7) if name == "e" else may(3)
        await add_instances(db, instance(name, may(2), length, attribution_id=f"team:{name}"))
    await claim_page(db, scope(), card())
    await block_invoice(db, "2022-05/team:b/period", "no customer")
    await move_invoice(db, "2022-05/team:c/period", InvoiceState.FINALIZED, may(33))
    await move_invoice(db, "2022-05/team:c/period", InvoiceState.BILLED, may(33))
    found = await period_progress(db, "2022-05")
    assert found.counts == {"claimed": 1, "blocked": 1, "billed": 1}
    assert found.totals == {"claimed": {"usd": 1440}, "blocked": {"usd": 1440}, "billed": {"jpy": 1440}}
    assert (found.open, found.blocked_count, found.below_minimum, found.blocked_accounts) == (2, 1, 1, 1)
    assert found.blocked[0].reason == "no customer"
    assert [waits.subject for waits in found.blocked] == ["2022-05/team:b/period", "team:d"]
    assert found.oldest_open_since is not None
    of_c = await period_progress(db, "2022-05", "team:c")
    assert (of_c.counts, of_c.open, of_c.blocked, of_c.oldest_open_since) == ({"billed": 1}, 0, (), None)


async def test_at_most_a_hundred_of_the_blocked_are_named(db: Database) -> None:
    for number in range(105):
        await add_account(db, f"team:{number:03d}", currency="eur")
    await execute(
        db,
        """
        INSERT INTO account_outcome
        SELECT '2022-05', attribution_id, 'blocked', 'why', 0, 'eur' FROM account
        """,
    )
    found = await period_progress(db, "2022-05")
    assert (len(found.blocked), found.blocked_accounts, found.blocked_count) == (100, 105, 0)


async def _excluded(db: Database, **changes: Any) -> list[ExcludedUsage]:
    arguments: dict[str, Any] = {"start": may(1), "end": may(32), "bill_after": None, "rate_card": card()}
    return [row async for row in excluded_instances(db, **{**arguments, **changes})]


async def test_each_invalid_instance_has_one_reason(db: Database) -> None:
    await add_account(db)
    await add_instances(
        db,
        instance("a good one", may(2), may(3)),
        instance("b no times", None, None),
        instance("c not started", None, None, creation_time=may(2)),
        instance("d not created", may(-2), may(3), creation_time=None),
        instance("e backwards", may(3), may(2)),
        instance("f nobody", may(2), may(3), attribution_id=None),
        instance("g malformed", may(2), may(3), attribution_id="team/x"),
        instance("h unknown", may(31), None, attribution_id="team:x"),
        instance("i all wrong", may(3), may(2), attribution_id="", creation_time=None),
        instance("j april's", may(-3), may(-2), attribution_id=None),
        instance("k april's", may(-3), may(-2), creation_time=None),
        instance("l june's", None, None, creation_time=may(32)),
        instance("m runs on", may(-3), None, creation_time=None),
        instance("n too early", may(3), may(4), creation_time=may(5)),
    )
    # As it was imported when the column was required: a later import takes the start instead.
    await execute(db, "UPDATE workspace_instance SET creation_time = NULL WHERE id ~ '^[bdikm] '")
    assert [(row.instance_id, row.reason, row.duration_us) for row in await _excluded(db)] == [
        ("b no times", "no_started_time", 0),
        ("c not started", "no_started_time", 0),
        ("d not created", "no_creation_time", 2 * DAY_US),
        ("e backwards", "ends_before_start", 0),
        ("f nobody", "no_attribution_id", DAY_US),
        ("g malformed", "malformed_attribution_id", DAY_US),
        ("h unknown", "no_such_account", DAY_US),
        ("i all wrong", "no_creation_time", 0),
        ("m runs on", "no_creation_time", 31 * DAY_US),
        ("n too early", "starts_before_creation", DAY_US),
    ]


async def test_usage_that_is_not_charged_adds_up(db: Database) -> None:
    await add_account(db, "team:a", (may(5), may(20)), (may(25), None), bill_after=may(10))
    await add_instances(db, instance("i", may(-3), None), instance("x", may(40), None))
    rates = card(effective_from=may(12))
    rows = await _excluded(db, rate_card=rates)
    assert [(row.reason, row.duration_us) for row in rows] == [
        ("before_bill_after", 5 * DAY_US),
        ("before_first_rate", 2 * DAY_US),
        ("uncovered", (4 + 5) * DAY_US),
    ]
    billed = (await claim_page(db, scope(), rates)).amounts["usd"] // 1440
    assert sum(row.duration_us for row in rows) + billed * DAY_US == 31 * DAY_US
    deployment = await _excluded(db, rate_card=rates, bill_after=may(11))
    assert (deployment[0].reason, deployment[0].duration_us) == ("before_bill_after", 6 * DAY_US)
    until_now = await _excluded(db, rate_card=rates, end=may(6))
    assert [(row.reason, row.duration_us) for row in until_now] == [
        ("before_bill_after", DAY_US),
        ("uncovered", 4 * DAY_US),
    ]


async def test_what_was_billed_is_not_excluded_when_its_window_is_cut_later(db: Database) -> None:
    await add_account(db, "team:a", (may(2), None))
    await add_instances(db, instance("i", may(2), may(10)))
    await claim_page(db, cancellation("sub", may(6)), card())
    await add_account(db, "team:a", (may(2), may(4)))
    [row] = await _excluded(db)
    assert row == ExcludedUsage("i", "team:a", "uncovered", 4 * DAY_US, row.credits, "usd", row.price)


async def test_what_excluded_usage_would_cost_at_the_present_rates(db: Database) -> None:
    """By class and quantity; not known without a rate, an account or a runtime, and never zero then."""
    await add_account(db, "team:a", (may(20), None))
    await add_instances(
        db,
        instance("i", may(2), may(3)),
        instance("j large", may(2), may(3), workspace_class="large", quantity=Decimal("2.5")),
        instance("k other", may(2), may(3), workspace_class="gpu"),
        instance("l nobody", may(2), may(3), attribution_id="team:x"),
        instance("m no runtime", None, None),
    )
    older, now = card(), card(effective_from=may(1), credits_per_minute={"default": "0.5", "large": "2"})
    rates = RateCard((*older.versions, *now.versions))
    found = {row.instance_id: (row.credits, row.worth) for row in await _excluded(db, rate_card=rates)}
    assert found == {
        "i": (720, 720), "j large": (7200, 7200), "k other": (None, None), "l nobody": (720, None),
        "m no runtime": (None, None),
    }  # fmt: skip
    default = {row.instance_id: row.worth for row in await _excluded(db, unknown_class=UnknownClass.DEFAULT)}
    assert default["k other"] == 1440


async def test_what_is_billed_outside_of_windows_and_runtimes_is_misbilled(db: Database) -> None:
    await add_account(db, "team:a", (may(2), may(10)), (may(12), None))
    await add_account(db, "team:b")
    await add_instances(
        db,
        instance("across", may(1), may(14)),
        instance("cut", may(3), may(8)),
        instance("gone", may(4), may(5), attribution_id="team:b"),
        instance("kept", may(3), may(4)),
        instance("running", may(30), None, attribution_id="team:b"),
    )
    await claim_page(db, scope(), card())
    await claim_page(db, june(), card())
    assert await misbilled_usage(db) == []
    await add_account(db, "team:a", (may(2), may(6)))
    await add_instances(db, instance("cut", may(3), may(5)))
    await execute(db, "DELETE FROM workspace_instance WHERE id = 'gone'")
    key, of_b = "2022-05/team:a/period", "2022-05/team:b/period"
    of_a = [
        MisbilledUsage("across", "team:a", key, "outside_windows", 4 * DAY_US),
        MisbilledUsage("cut", "team:a", key, "outside_runtime", 1 * DAY_US),
        MisbilledUsage("cut", "team:a", key, "outside_windows", 2 * DAY_US),
    ]
    gone = MisbilledUsage("gone", "team:b", of_b, "outside_runtime", DAY_US)
    assert await misbilled_usage(db, period="2022-05") == [*of_a, gone]
    assert await misbilled_usage(db, period="2022-06") == []
    assert await misbilled_usage(db, accounts=["team:a"]) == of_a
    assert await misbilled_usage(db, accounts=[]) == []
    await execute(db, "DELETE FROM subscription WHERE attribution_id = 'team:b'")
    assert [row.duration_us for row in await misbilled_usage(db, period="2022-06")] == [30 * DAY_US]
    await move_invoice(db, key, InvoiceState.DELETED, may(33))
    assert await misbilled_usage(db, accounts=["team:a"]) == []


async def test_excluded_usage_comes_in_the_order_of_instance_and_reason(db: Database) -> None:
    await add_account(db, "team:a", (may(20), None), bill_after=may(25))
    await add_account(db, "team:b", (may(20), None))
    for number in range(30):
        name = "team:a" if number % 2 else "team:b"
        await add_instances(db, instance(f"{number:02d}", may(2), may(30), attribution_id=name))
    every = [(row.instance_id, row.reason) for row in await _excluded(db)]
    assert len(every) == 15 * 2 + 15
    assert every == sorted(every)


async def test_the_latest_summary_is_kept(db: Database) -> None:
    assert await read_summary(db, "2022-05") is None
    await write_summary(db, "2022-05", {"invoices": 1})
    await write_summary(db, "2022-05", {"invoices": 2, "by_state": {"paid": [1, None]}})
    found = await read_summary(db, "2022-05")
    assert found is not None
    assert found.summary == {"invoices": 2, "by_state": {"paid": [1, None]}}
    assert found.settled_at > datetime(2022, 1, 1, tzinfo=UTC)


async def test_a_period_that_is_held_again_after_an_approval_is_listed_as_held(db: Database) -> None:
    await hold_period(db, "2022-05", "too much", {"usd": 1})
    await approve_period(db, "2022-05", {"usd": 1}, "ann")
    assert [each.held for each in await list_periods(db)] == []
    await hold_period(db, "2022-05", "more yet", {"usd": 2})
    assert [each.held for each in await list_periods(db)] == ["more yet"]
