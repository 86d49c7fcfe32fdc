"""Derive the free time of an account from its subscription's paused collection, of which Stripe gives no times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.accounts.parts import Stretch
from billing.accounts.pauses import PauseBehavior
from billing.accounts.plan import AccountRecord
from billing.accounts.windows import WindowKind
from contracts.messages.subscriptions import StripeSubscriptionSnapshot

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
