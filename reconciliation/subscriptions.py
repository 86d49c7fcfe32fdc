"""Derive an account's windows from a Stripe subscription's status and times."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.plan import AccountRecord
from billing.accounts.windows import Window
from contracts.messages.subscriptions import StripeSubscriptionSnapshot

PAUSED = "paused"
NEVER_SERVED = frozenset({"incomplete", "incomplete_expired"})
"""The statuses before the first payment: Stripe does not serve the subscription, and might never do so."""


def parts_of(
    found: StripeSubscriptionSnapshot, account: AccountRecord | None, heard: datetime
) -> list[StripeSubscriptionSnapshot]:
    """Return a subscription's parts: one, or two around a pause that was seen. `heard` is the time of Stripe's event.

    Stripe pauses a subscription only at the end of a trial without a payment method. The new billing cycle anchor
    gives the time of resumption; if the anchor was kept, the event does. An anchor alone does not prove a pause,
    because changes of plan move it too.
    https://docs.stripe.com/billing/subscriptions/trials#create-free-trials-without-payment
    """
    pause = found.trial_end
    if pause is None:
        return [found]
    before = found.model_copy(update={"ended": pause})
    if found.status == PAUSED:
        return [before]
    own = {
        window.part: window
        for window in (account.windows if account else ())
        if window.stripe_subscription_id == found.stripe_subscription_id
    }
    if 1 not in own or own[1].ended != pause:
        return [found]
    if found.ended is not None and found.ended <= pause:
        return [before]
    anchor = found.billing_cycle_anchor
    moved = anchor if anchor is not None and anchor > pause else None
    resumed = own[2].started if 2 in own else moved or heard
    if found.ended is not None and found.ended <= resumed:
        return [before]
    return [before, found.model_copy(update={"started": resumed, "part": 2})]


def other_windows(account: AccountRecord | None, found: StripeSubscriptionSnapshot) -> list[Window]:
    """Return the account's windows except the subscription's own and an imported window that becomes its own."""
    return [
        Window(window.started, window.ended, window.stripe_subscription_id)
        for window in (account.windows if account else ())
        if (window.stripe_subscription_id, window.part) != (found.stripe_subscription_id, found.part)
        and not (window.stripe_subscription_id is None and window.started == found.started)
    ]


def open_beside(account: AccountRecord | None, found: StripeSubscriptionSnapshot) -> list[Window]:
    """Return the account's other open windows that this subscription would overlap."""
    return [
        other
        for other in other_windows(account, found)
        if other.end is None and (found.ended is None or found.ended > other.start)
    ]
