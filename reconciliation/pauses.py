"""Derive a subscription's pauses of collection, of which Stripe gives no times, and the free time of its account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.accounts.parts import Stretch
from billing.accounts.pauses import CollectionPause, PauseBehavior
from billing.accounts.plan import AccountRecord
from billing.accounts.windows import WindowKind
from contracts.messages.subscriptions import StripeSubscriptionSnapshot
from reconciliation.subscriptions import PAUSED

_KIND = WindowKind.COLLECTION_PAUSED


@dataclass(frozen=True)
class Heard:
    """When the subscription was seen: `now`, and the times of events, of those that showed it paused, and of others."""

    now: datetime
    event: datetime | None = None
    """The earliest of them all."""
    paused: datetime | None = None
    """The earliest that showed it paused."""
    collected: Sequence[datetime] = ()

    @property
    def since(self) -> datetime:
        """The first instant at which the present pause was seen."""
        return self.paused or self.now


def free_stretches(found: StripeSubscriptionSnapshot, account: AccountRecord | None, heard: Heard) -> list[Stretch]:
    """Return the stretches in which the subscription's service was free: `void` or `mark_uncollectible`.

    With `keep_as_draft` payment is collected later, so that nothing is free. A pause lasts until `resumes_at`, or until
    an event or a fetch shows that it has ended.
    """
    known = [
        Stretch(window.started, window.ended, _KIND)
        for window in (account.windows if account else ())
        if window.stripe_subscription_id == found.stripe_subscription_id and window.kind is _KIND
    ]
    if found.pause is not None and found.pause.behavior is not PauseBehavior.KEEP_AS_DRAFT:
        return _with_present(known, found.pause.resumes_at, heard)
    return _without_present(known, heard)


def _with_present(known: list[Stretch], resumes_at: datetime | None, heard: Heard) -> list[Stretch]:
    start = heard.since
    if known and (known[-1].end is None or known[-1].end > start):
        start = min(start, known.pop().start)
    return [*known, Stretch(start, resumes_at, _KIND)] if resumes_at is None or resumes_at > start else known


def _without_present(known: list[Stretch], heard: Heard) -> list[Stretch]:
    if not known:
        return []
    *earlier, last = known
    ended = min((at for at in heard.collected if at > last.start), default=heard.now)
    if last.end is not None and last.end <= ended:
        return known
    return [*earlier, Stretch(last.start, ended, _KIND)]


def is_paused(found: StripeSubscriptionSnapshot) -> bool:
    """Whether collection is paused now: Stripe leaves `pause_collection` on a subscription that has ended."""
    return found.pause is not None and (found.ended is None or found.status == PAUSED)


def pauses_of(
    found: StripeSubscriptionSnapshot, known: Sequence[CollectionPause], heard: Heard
) -> list[CollectionPause]:
    """Return the subscription's pauses in order, also those that have ended. `known` are those seen before."""
    over = [each for each in known if each.ended is not None]
    present = next((each for each in known if each.ended is None), None)
    since = heard.paused
    if since is not None and over and since <= (over[-1].ended or since):
        since = None  # the event of a pause that is over
    if found.pause is not None and is_paused(found):
        starts = [at for at in (since, present.since if present else None) if at is not None]
        start = min(starts, default=heard.now)
        return [
            *over,
            CollectionPause(found.stripe_subscription_id, found.pause.behavior, start, found.pause.resumes_at),
        ]
    if present is None and since is not None:
        present = CollectionPause(found.stripe_subscription_id, None, since)
    last = present or (over.pop() if over else None)
    return over if last is None else [*over, replace(last, ended=_end_of(last, found, heard))]


def _end_of(last: CollectionPause, found: StripeSubscriptionSnapshot, heard: Heard) -> datetime:
    """Return when the pause ended: with its subscription, at `resumes_at`, or when it was first seen to be over."""
    if found.pause is not None and found.ended is not None:
        return last.ended or max(found.ended, last.since)
    known = [last.ended or heard.now, last.resumes_at, found.ended, *heard.collected]
    return min((at for at in known if at is not None and at > last.since), default=last.since)
