"""A subscription's windows around a pause, and other windows that are in its way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.accounts.plan import AccountRecord, WindowRecord
from billing.accounts.windows import Window, WindowKind
from contracts.messages.subscriptions import StripeSubscriptionSnapshot
from reconciliation.subscriptions import open_beside, other_windows, placed_of, served, trials

Span = tuple[datetime, datetime | None]
TRIAL = WindowKind.TRIAL
NONE: frozenset[int] = frozenset()


def may(day: int) -> datetime:
    return datetime(2022, 5, day, tzinfo=UTC)


def subscription(status: str = "active", **changes: Any) -> StripeSubscriptionSnapshot:
    values: dict[str, Any] = {
        "stripe_subscription_id": "sub_1",
        "stripe_customer_id": "cus_1",
        "currency": "usd",
        "attribution_id": "team:a",
        "started": may(1),
        "ended": None,
    }
    return StripeSubscriptionSnapshot(status=status, **{**values, **changes})


def account(*windows: tuple[str | None, datetime, datetime | None], trials: frozenset[int] = NONE) -> AccountRecord:
    records = tuple(
        WindowRecord(number, "team:a", name, started, ended, TRIAL if number in trials else WindowKind.PAID, "usd")
        for number, (name, started, ended) in enumerate(windows, 1)
    )
    return AccountRecord("team:a", "cus_1", "usd", None, may(1), records)


PAUSED_BEFORE = account(("sub_1", may(1), may(10)))
RESUMED_BEFORE = account(("sub_1", may(1), may(10)), ("sub_1", may(15), None))


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [
        (subscription(), None, [(may(1), None)]),
        (subscription(ended=may(5)), PAUSED_BEFORE, [(may(1), may(5))]),
        (subscription("paused", trial_end=may(10)), None, [(may(1), may(10))]),
        (subscription(trial_end=may(10)), None, [(may(1), None)]),
        (subscription(trial_end=may(10)), account(("sub_1", may(1), None)), [(may(1), None)]),
        (subscription(trial_end=may(10)), PAUSED_BEFORE, [(may(1), may(10)), (may(20), None)]),
        (
            subscription(trial_end=may(10), billing_cycle_anchor=may(12)),
            PAUSED_BEFORE,
            [(may(1), may(10)), (may(12), None)],
        ),
        (
            subscription(trial_end=may(10), billing_cycle_anchor=may(1)),
            PAUSED_BEFORE,
            [(may(1), may(10)), (may(20), None)],
        ),
        (
            subscription(trial_end=may(10), billing_cycle_anchor=may(12)),
            RESUMED_BEFORE,
            [(may(1), may(10)), (may(15), None)],
        ),
        (subscription(trial_end=may(10), ended=may(9)), PAUSED_BEFORE, [(may(1), may(10))]),
        (subscription(trial_end=may(10), ended=may(15)), RESUMED_BEFORE, [(may(1), may(10))]),
        (
            subscription(trial_end=may(10), ended=may(16)),
            RESUMED_BEFORE,
            [(may(1), may(10)), (may(15), may(16))],
        ),
    ],
)
def test_a_pause_that_was_seen_makes_two_windows(
    found: StripeSubscriptionSnapshot, known: AccountRecord | None, expected: list[Span]
) -> None:
    parts = served(found, known, may(20))
    assert [(part.started, part.ended) for part in parts] == expected


ON_TRIAL = account(("sub_1", may(1), may(15)), ("sub_1", may(15), None), trials=frozenset({1}))
TWO_TRIALS = account(
    *(("sub_1", may(1), may(15)), ("sub_1", may(15), may(20)), ("sub_1", may(20), may(25)), ("sub_1", may(25), None)),
    trials=frozenset({1, 3}),
)


@pytest.mark.parametrize(
    ("found", "known", "heard", "expected"),
    [
        (subscription(), None, may(2), []),
        (subscription("trialing", trial_start=may(1), trial_end=may(15)), None, may(1), [(may(1), may(15))]),
        (subscription(trial_start=may(4), trial_end=may(15)), None, may(20), [(may(4), may(15))]),  # seen late
        (subscription(trial_end=may(15)), None, may(20), [(may(1), may(15))]),  # of an earlier Stripe worker
        # a later one of an active subscription, first seen: time that was paid for before stays paid
        (
            subscription("trialing", trial_start=may(1), trial_end=may(25), cycle_start=may(20), cycle_end=may(25)),
            None,
            may(21),
            [(may(20), may(25))],
        ),
        # the same, after a trial that is known, seen by a sync; and an extension
        (
            subscription("trialing", trial_start=may(1), trial_end=may(25), cycle_start=may(20), cycle_end=may(25)),
            ON_TRIAL,
            None,
            [(may(1), may(15)), (may(20), may(25))],
        ),
        (
            subscription("trialing", trial_start=may(1), trial_end=may(25), cycle_start=may(14), cycle_end=may(25)),
            ON_TRIAL,
            None,
            [(may(1), may(25))],
        ),
        # it ends early, is extended in time, is extended and heard of by a sync
        (subscription(trial_start=may(1), trial_end=may(4)), ON_TRIAL, may(4), [(may(1), may(4))]),
        (subscription(trial_start=may(1), trial_end=may(25)), ON_TRIAL, may(14), [(may(1), may(25))]),
        (subscription(trial_start=may(1), trial_end=may(25)), ON_TRIAL, None, [(may(1), may(25))]),
        # another one begins after the first: Stripe keeps the first one's start, or gives its own
        (
            subscription(trial_start=may(1), trial_end=may(25)),
            ON_TRIAL,
            may(20),
            [(may(1), may(15)), (may(20), may(25))],
        ),
        (
            subscription(trial_start=may(21), trial_end=may(25)),
            ON_TRIAL,
            may(22),
            [(may(1), may(15)), (may(21), may(25))],
        ),
        # the same again, when it is known
        (subscription(trial_start=may(1), trial_end=may(15)), ON_TRIAL, may(20), [(may(1), may(15))]),
        (
            subscription(trial_start=may(1), trial_end=may(25)),
            TWO_TRIALS,
            may(24),
            [(may(1), may(15)), (may(20), may(25))],
        ),
        (subscription(), TWO_TRIALS, may(24), [(may(1), may(15)), (may(20), may(25))]),
    ],
)
def test_trials_as_stripe_tells_them(
    found: StripeSubscriptionSnapshot, known: AccountRecord | None, heard: datetime | None, expected: list[Span]
) -> None:
    assert [(part.start, part.end) for part in trials(found, known, heard)] == expected


def test_its_own_windows_and_the_files_that_becomes_its_own_are_not_in_its_way() -> None:
    known = account(("sub_1", may(1), None), ("sub_2", may(2), may(3)), (None, may(1), may(2)), (None, may(4), None))
    assert [(each.name, each.start) for each in other_windows(known, subscription())] == [
        ("sub_2", may(2)),
        (None, may(4)),
    ]
    assert other_windows(None, subscription()) == []


def test_a_trial_does_not_cut_another_subscriptions_window_in_its_way() -> None:
    """The part of it before the other one is placed, as without the trial."""
    known = account(("sub_2", may(5), may(15)), ("sub_2", may(15), None), trials=frozenset({1}))
    assert placed_of(subscription(ended=may(20)), known) == Window(may(1), may(5), "sub_1")


@pytest.mark.parametrize(("ended", "expected"), [(None, 1), (may(5), 1), (may(4), 0), (may(3), 0)])
def test_an_open_window_is_in_the_way_of_what_lasts_beyond_its_start(ended: datetime | None, expected: int) -> None:
    known = account(("sub_2", may(4), None), ("sub_3", may(1), may(3)))
    assert len(open_beside(known, subscription(ended=ended))) == expected
