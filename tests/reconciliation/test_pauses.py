"""The free time of a subscription whose collection is paused, as far as Stripe shows it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.accounts.pauses import CollectionPause, PauseBehavior
from billing.accounts.plan import AccountRecord, WindowRecord
from billing.accounts.windows import WindowKind
from contracts.messages.subscriptions import PausedCollection, StripeSubscriptionSnapshot
from reconciliation.pauses import Heard, free_stretches, pauses_of

Span = tuple[datetime, datetime | None]


def may(day: int) -> datetime:
    return datetime(2022, 5, day, tzinfo=UTC)


def subscription(behavior: PauseBehavior | None, resumes_at: datetime | None = None) -> StripeSubscriptionSnapshot:
    return StripeSubscriptionSnapshot(
        stripe_subscription_id="sub_1",
        stripe_customer_id="cus_1",
        status="active",
        currency="usd",
        attribution_id="team:a",
        started=may(1),
        ended=None,
        pause=None if behavior is None else PausedCollection(behavior=behavior, resumes_at=resumes_at),
    )


def account(*free: Span) -> AccountRecord:
    kind = WindowKind.COLLECTION_PAUSED
    records = tuple(
        WindowRecord(number, "team:a", "sub_1", started, ended, kind, "usd")
        for number, (started, ended) in enumerate(free, 1)
    )
    return AccountRecord("team:a", "cus_1", "usd", None, may(1), records)


VOID, UNCOLLECTIBLE, DRAFT = PauseBehavior.VOID, PauseBehavior.MARK_UNCOLLECTIBLE, PauseBehavior.KEEP_AS_DRAFT


@pytest.mark.parametrize(
    ("found", "known", "heard", "expected"),
    [
        pytest.param(subscription(VOID), [], Heard(may(9), None, may(5)), [(may(5), None)], id="since its event"),
        pytest.param(subscription(UNCOLLECTIBLE), [], Heard(may(9)), [(may(9), None)], id="since it was seen"),
        pytest.param(subscription(DRAFT), [], Heard(may(9), None, may(5)), [], id="collected later"),
        pytest.param(
            subscription(VOID), [(may(5), None)], Heard(may(9), None, may(8)), [(may(5), None)], id="a later event"
        ),
        pytest.param(
            subscription(VOID), [(may(9), None)], Heard(may(10), None, may(5)), [(may(5), None)], id="an earlier event"
        ),
        pytest.param(
            subscription(VOID, may(20)), [], Heard(may(9), None, may(5)), [(may(5), may(20))], id="until it resumes"
        ),
        pytest.param(
            subscription(VOID, may(25)), [(may(5), may(20))], Heard(may(9)), [(may(5), may(25))], id="extended"
        ),
        pytest.param(
            subscription(None), [(may(5), None)], Heard(may(9), None, None, [may(8)]), [(may(5), may(8))], id="resumed"
        ),
        pytest.param(
            subscription(None),
            [(may(5), None)],
            Heard(may(9), None, may(5), [may(3), may(8), may(9)]),
            [(may(5), may(8))],
            id="resumed after events from before the pause",
        ),
        pytest.param(subscription(None), [(may(5), None)], Heard(may(9)), [(may(5), may(9))], id="resumed, unheard"),
        pytest.param(
            subscription(None),
            [(may(5), may(20))],
            Heard(may(9), None, None, [may(8)]),
            [(may(5), may(8))],
            id="earlier",
        ),
        pytest.param(
            subscription(None),
            [(may(5), may(8))],
            Heard(may(20), None, None, [may(19)]),
            [(may(5), may(8))],
            id="long ago",
        ),
        pytest.param(
            subscription(VOID),
            [(may(5), may(8))],
            Heard(may(20), None, may(19)),
            [(may(5), may(8)), (may(19), None)],
            id="a second pause",
        ),
        pytest.param(
            subscription(DRAFT), [(may(5), None)], Heard(may(9), None, may(5)), [(may(5), may(9))], id="no longer free"
        ),
    ],
)
def test_the_free_time(
    found: StripeSubscriptionSnapshot, known: list[Span], heard: Heard, expected: list[Span]
) -> None:
    stretches = free_stretches(found, account(*known), heard)
    assert [(each.start, each.end) for each in stretches] == expected
    assert {each.kind for each in stretches} <= {WindowKind.COLLECTION_PAUSED}


def test_the_windows_of_other_subscriptions_are_left_alone() -> None:
    known = account((may(5), None))
    other = subscription(None).model_copy(update={"stripe_subscription_id": "sub_2"})
    assert free_stretches(other, known, Heard(may(9))) == []


def ended(behavior: PauseBehavior | None, at: datetime, status: str = "canceled") -> StripeSubscriptionSnapshot:
    return subscription(behavior).model_copy(update={"ended": at, "status": status})


@pytest.mark.parametrize(
    ("found", "known", "heard", "expected"),
    [
        pytest.param(subscription(DRAFT), [], Heard(may(9), None, may(5)), [(may(5), None)], id="since its event"),
        pytest.param(subscription(DRAFT), [(may(5), None)], Heard(may(9)), [(may(5), None)], id="it lasts"),
        pytest.param(
            subscription(None), [(may(5), None)], Heard(may(9), None, None, [may(8)]), [(may(5), may(8))], id="resumed"
        ),
        pytest.param(subscription(None), [(may(5), None)], Heard(may(9)), [(may(5), may(9))], id="resumed, unheard"),
        pytest.param(
            subscription(None), [], Heard(may(9), may(5), may(5), [may(8)]), [(may(5), may(8))], id="over when fetched"
        ),
        pytest.param(
            subscription(None),
            [(may(5), may(9))],
            Heard(may(12), None, None, [may(8)]),
            [(may(5), may(8))],
            id="its end was heard of later",
        ),
        pytest.param(
            subscription(None),
            [(may(5), may(8))],
            Heard(may(20), None, may(5), [may(19)]),
            [(may(5), may(8))],
            id="long ago",
        ),
        pytest.param(
            subscription(DRAFT),
            [(may(5), may(8))],
            Heard(may(20), None, may(19)),
            [(may(5), may(8)), (may(19), None)],
            id="a second pause",
        ),
        pytest.param(
            subscription(DRAFT),
            [(may(5), may(8))],
            Heard(may(20), None, may(5)),
            [(may(5), may(8)), (may(20), None)],
            id="a second pause, with the first one's event",
        ),
        pytest.param(
            ended(DRAFT, may(8)),
            [(may(5), None)],
            Heard(may(9), None, may(8)),
            [(may(5), may(8))],
            id="ended with its subscription",
        ),
        pytest.param(
            ended(DRAFT, may(7), "paused"),
            [(may(5), None)],
            Heard(may(9)),
            [(may(5), None)],
            id="an unserved one's",
        ),
    ],
)
def test_the_pauses(found: StripeSubscriptionSnapshot, known: list[Span], heard: Heard, expected: list[Span]) -> None:
    before = [CollectionPause("sub_1", DRAFT, since, None, until) for since, until in known]
    pauses = pauses_of(found, before, heard)
    assert [(each.since, each.ended) for each in pauses] == expected
    assert pauses_of(found, pauses, heard) == pauses
