"""Usage in a window of a kind that is not charged is excluded with the kind as its reason, everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.audit.checks import Check
from billing.invoice.policy import AccountPolicy, FreeTime
from storage.accounts.accounts import get_account
from storage.accounts.policies import write_policy
from storage.claims.claims import claim_page, preview_page
from storage.periods.periods import excluded_instances
from storage.postgres.database import Database
from storage.usage.explain import explain_instance
from storage.usage.misbilled import misbilled_usage
from tests.storage.audits import audit
from tests.storage.usage import (
    DAY,
    HOUR_US,
    add_account,
    add_instances,
    card,
    claimed,
    execute,
    instance,
    june,
    may,
    put_window,
    scope,
)

TRIAL, PAUSED = WindowKind.TRIAL, WindowKind.COLLECTION_PAUSED
CHARGED = PAID_ALONE | {TRIAL}


@pytest.fixture
async def on_trial(db: Database) -> Database:
    """team:a is on trial from 1 to 15 May, and its service free from 20 to 25 May; its instance runs all of May."""
    await add_account(db, "team:a", (may(-29), may(-28)))
    await execute(db, "DELETE FROM subscription")
    await put_window(db, "team:a", "sub_1", may(1), None, (may(1), may(15), TRIAL), (may(20), may(25), PAUSED))
    await add_instances(db, instance("i", may(1), may(32)))
    return db


async def fates(db: Database, charged: frozenset[WindowKind] = PAID_ALONE) -> list[tuple[str, datetime, datetime]]:
    found = await explain_instance(
        db, "i", now=may(40), bill_after=None, rate_card=card(), charge_on="own", charged_kinds=charged
    )
    assert found is not None
    return [(each.fate, each.start, each.end) for each in found.intervals]


async def excluded(db: Database, charged: frozenset[WindowKind] = PAID_ALONE) -> dict[str, int]:
    rows = excluded_instances(db, start=may(1), end=may(32), bill_after=None, rate_card=card(), charged_kinds=charged)
    return {row.reason: row.duration_us async for row in rows}


async def test_free_time_is_excluded_with_its_reason(on_trial: Database) -> None:
    (preview,) = await preview_page(on_trial, scope(), card())
    assert preview.priced.amount == 12 * DAY
    await claim_page(on_trial, scope(), card())
    assert await claimed(on_trial) == [("i", may(15), may(20)), ("i", may(25), may(32))]
    assert await excluded(on_trial) == {"trial": 14 * 24 * HOUR_US, "collection_paused": 5 * 24 * HOUR_US}
    assert await fates(on_trial) == [
        ("trial", may(1), may(15)),
        ("open", may(15), may(20)),
        ("collection_paused", may(20), may(25)),
        ("open", may(25), may(32)),
    ]
    record, findings = await audit(on_trial, Check.CONSERVATION, now=may(40))
    assert (record.figures["trial_us"], record.figures["collection_paused_us"]) == (14 * 24 * HOUR_US, 5 * 24 * HOUR_US)
    assert findings == []
    assert await misbilled_usage(on_trial) == []


async def test_it_comes_before_what_else_could_exclude_the_same_time(on_trial: Database) -> None:
    await execute(on_trial, "UPDATE account SET bill_after = :at", at=may(17))
    assert await excluded(on_trial) == {
        "trial": 14 * 24 * HOUR_US,
        "before_bill_after": 2 * 24 * HOUR_US,
        "collection_paused": 5 * 24 * HOUR_US,
    }


@pytest.mark.parametrize("by_account", [False, True])
async def test_trials_are_charged_if_that_is_wanted(on_trial: Database, by_account: bool) -> None:
    charged = PAID_ALONE if by_account else CHARGED
    if by_account:
        await write_policy(on_trial, "team:a", AccountPolicy(trial_usage=FreeTime.CHARGE))
    await claim_page(on_trial, replace(scope(), charged_kinds=charged), card())
    assert await claimed(on_trial) == [("i", may(1), may(20)), ("i", may(25), may(32))]
    assert await excluded(on_trial, charged) == {"collection_paused": 5 * 24 * HOUR_US}
    assert [fate for fate, _, _ in await fates(on_trial, charged)] == ["open", "collection_paused", "open"]
    _, findings = await audit(on_trial, Check.CONSERVATION, now=may(40), charged_kinds=charged)
    assert findings == []
    assert await misbilled_usage(on_trial, charged_kinds=charged) == []


async def test_free_services_of_a_pause_are_charged_if_that_is_wanted(on_trial: Database) -> None:
    await write_policy(on_trial, "team:a", AccountPolicy(paused_usage=FreeTime.CHARGE))
    await claim_page(on_trial, scope(), card())
    assert await claimed(on_trial) == [("i", may(15), may(32))]
    assert await excluded(on_trial) == {"trial": 14 * 24 * HOUR_US}


async def test_the_kinds_of_an_accounts_windows_are_read(on_trial: Database) -> None:
    account = await get_account(on_trial, "team:a")
    assert account is not None
    assert [window.kind for window in account.windows if window.kind is not WindowKind.PAID] == [TRIAL, PAUSED]
    assert {type(window.kind) for window in account.windows} == {WindowKind}


async def test_an_account_can_exclude_what_the_deployment_charges(on_trial: Database) -> None:
    await write_policy(on_trial, "team:a", AccountPolicy(trial_usage=FreeTime.EXCLUDE))
    await claim_page(on_trial, replace(scope(), charged_kinds=CHARGED), card())
    assert await claimed(on_trial) == [("i", may(15), may(20)), ("i", may(25), may(32))]


async def test_a_trial_that_was_billed_before_it_was_known_is_misbilled(db: Database) -> None:
    """An earlier release billed it, or Stripe's event came late: nothing is credited by itself."""
    await add_account(db, "team:a", (may(1), None))
    await add_instances(db, instance("i", may(1), may(32)))
    await claim_page(db, scope(), card())
    await put_window(db, "team:a", "sub_1", may(1), None, (may(1), may(15), TRIAL))
    (wrong,) = await misbilled_usage(db)
    assert (wrong.reason, wrong.duration_us) == ("trial", 14 * 24 * HOUR_US)
    assert await misbilled_usage(db, charged_kinds=CHARGED) == []
    assert (await claim_page(db, june(), card())).keys == ()
    _, findings = await audit(db, Check.CONSERVATION, now=may(40))
    assert [each.kind for each in findings] == ["claimed_outside_windows"]


async def test_a_cancellation_on_trial_leaves_nothing_to_bill(db: Database) -> None:
    await add_account(db, "team:a", (may(-29), may(-28)))
    await put_window(db, "team:a", "sub_1", may(1), may(9), (may(1), may(15), TRIAL))
    await add_instances(db, instance("i", may(1), may(1) + timedelta(days=20)))
    assert (await claim_page(db, scope(), card())).keys == ()
    assert await excluded(db) == {"trial": 8 * 24 * HOUR_US, "uncovered": 12 * 24 * HOUR_US}
