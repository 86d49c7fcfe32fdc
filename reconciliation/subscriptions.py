"""Derive an account's windows and cycles from a Stripe subscription's status and times."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from billing.accounts.cycles import Cycle
from billing.accounts.parts import Stretch, joined
from billing.accounts.plan import AccountRecord, WindowRecord
from billing.accounts.windows import Clash, Window, WindowKind, place
from contracts.messages.subscriptions import StripeSubscriptionSnapshot

PAUSED = "paused"
NEVER_SERVED = frozenset({"incomplete", "incomplete_expired"})
"""The statuses before the first payment: Stripe does not serve the subscription, and might never do so."""


def served(
    found: StripeSubscriptionSnapshot, account: AccountRecord | None, heard: datetime
) -> list[StripeSubscriptionSnapshot]:
    """Return the times that a subscription is served: one, or two around a pause that was seen.

    `heard` is the time of Stripe's event. Stripe pauses a subscription only at the end of a trial without a payment
    method. The new billing cycle anchor gives the time of resumption; if the anchor was kept, the event does. An anchor
    alone does not prove a pause, because changes of plan move it too.
    https://docs.stripe.com/billing/subscriptions/trials#create-free-trials-without-payment
    """
    pause = found.trial_end
    if pause is None:
        return [found]
    before = found.model_copy(update={"ended": pause})
    if found.status == PAUSED:
        return [before]
    known = joined(_windows(_own(account, found)))
    if not known or known[0].end != pause:
        return [found]
    if found.ended is not None and found.ended <= pause:
        return [before]
    anchor = found.billing_cycle_anchor
    moved = anchor if anchor is not None and anchor > pause else None
    resumed = known[1].start if len(known) > 1 else moved or heard
    if found.ended is not None and found.ended <= resumed:
        return [before]
    return [before, found.model_copy(update={"started": resumed})]


def trials(
    found: StripeSubscriptionSnapshot, account: AccountRecord | None, heard: datetime | None = None
) -> list[Stretch]:
    """Return the subscription's trials, as far as Stripe tells: the last one's end, and the start of the first.

    Of further trials, Stripe keeps the first one's start. A trial that goes on begins with its cycle, though, because
    Stripe begins a cycle whenever a trial begins. Of a further trial that is over, the time of Stripe's event counts;
    without an event, the trial that was known counts as extended.
    https://docs.stripe.com/api/subscriptions/object#subscription_object-trial_start
    """
    known = [
        Stretch(each.start, each.end, WindowKind.TRIAL)
        for each in joined(_windows(w for w in _own(account, found) if w.kind is WindowKind.TRIAL))
    ]
    start, end = found.trial_start or found.started, found.trial_end
    if end is None:
        return known
    if found.status == "trialing" and found.cycle_start is not None:
        start = max(start, found.cycle_start)
    if not known:
        return [Stretch(start, end, WindowKind.TRIAL)]
    *earlier, last = known
    assert last.end is not None
    if start >= last.end:
        return [*known, Stretch(start, end, WindowKind.TRIAL)]
    if end > last.end and heard is not None and last.end < heard:
        return [*known, Stretch(heard, end, WindowKind.TRIAL)] if heard < end else known
    return [*earlier, Stretch(last.start, end, WindowKind.TRIAL)]


def other_windows(account: AccountRecord | None, found: StripeSubscriptionSnapshot) -> list[Window]:
    """Return the account's windows except the subscription's own and an imported window that becomes its own.

    Windows that trials cut into parts are whole: a subscription that overlaps one of them must not lie between parts.
    """
    return [
        Window(window.started, window.ended, window.stripe_subscription_id)
        for window in (account.whole_windows if account else ())
        if window.stripe_subscription_id != found.stripe_subscription_id
        and not (window.stripe_subscription_id is None and window.started == found.started)
    ]


def placed_of(found: StripeSubscriptionSnapshot, account: AccountRecord | None) -> Window | None:
    """Return what the account's other windows leave of this one, or None. If two clash, storage names both."""
    asked = Window(found.started, found.ended, found.stripe_subscription_id)
    if found.ended is not None and found.ended <= found.started:
        return None
    placed = place(asked, other_windows(account, found))
    return asked if isinstance(placed, Clash) else placed


def open_beside(account: AccountRecord | None, found: StripeSubscriptionSnapshot) -> list[Window]:
    """Return the account's other open windows that this subscription would overlap."""
    return [
        other
        for other in other_windows(account, found)
        if other.end is None and (found.ended is None or found.ended > other.start)
    ]


def other_open(
    account: AccountRecord | None, parts: Sequence[StripeSubscriptionSnapshot], seen: Collection[str]
) -> str | None:
    """Return another open subscription that may have ended: events arrive in any order, or never."""
    names = (other.name for part in parts for other in open_beside(account, part))
    return next((name for name in names if name and name not in seen), None)


def _own(account: AccountRecord | None, found: StripeSubscriptionSnapshot) -> list[WindowRecord]:
    return [
        window
        for window in (account.windows if account else ())
        if window.stripe_subscription_id == found.stripe_subscription_id
    ]


def _windows(records: Iterable[WindowRecord]) -> list[Window]:
    return [Window(each.started, each.ended, each.stripe_subscription_id) for each in records]


def present_cycle(found: StripeSubscriptionSnapshot) -> Cycle | None:
    """Return the subscription's present cycle, up to its end if it has ended. None if Stripe does not say."""
    start, end = found.cycle_start, found.cycle_end
    if start is None or end is None:
        return None
    end = end if found.ended is None else min(end, found.ended)
    return Cycle(start, end) if start < end else None
