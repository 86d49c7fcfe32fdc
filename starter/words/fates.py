"""The fates of usage, and the rule that decided an interval, in words."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal

from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from billing.periods import BillingPeriod
from billing.report.canonical import format_decimal
from starter.words.next_run import next_run, sentence
from starter.words.times import when
from storage.usage.explain import ClaimedOn, ExplainedInterval, Explanation, ReleasedClaim
from storage.usage.standing import AccountStanding, SubscriptionWindow

FATES = {
    "billed": "billed",
    "open": "on an invoice that is not billed yet",
    "written_off": "on an invoice that was voided and written off: never billed again",
    "invalid": "not billable: the instance is invalid",
    "stale": "not charged: nothing was heard of the instance any more",
    "uncovered": "not charged: the account had no subscription then",
    "trial": "not charged: the account was on trial",
    "collection_paused": "not charged: collection was paused, and the service free",
    "before_bill_after": "not charged: before the account's charges begin",
    "before_first_rate": "not charged: before the rate card's first rate",
    "unbilled": "not billed yet",
}
"""What each fate of usage means, in display order."""
INVALID = {
    "no_creation_time": "it has no creation time",
    "no_started_time": "it has no start",
    "ends_before_start": "it ends before it starts",
    "starts_before_creation": "it starts more than a day before its creation",
    "no_attribution_id": "it has no attribution id",
    "malformed_attribution_id": "its attribution id is malformed",
    "no_such_account": "no account has its attribution id",
}
_REASONS = {
    InvoiceReason.PERIOD: "the invoice for {period}",
    InvoiceReason.CANCELLATION: "the cancellation invoice for {period}",
    InvoiceReason.SUBSCRIPTION: "Stripe's own subscription invoice for {period}",
}


def why(found: Explanation, interval: ExplainedInterval, period_start: datetime | None, zone: tzinfo) -> str:
    """Return the rule that decided this interval, in a few sentences.

    Args:
        period_start: the start of the invoice's period, which separates the period's own usage from carried over usage.
        zone: of billing periods.
    """
    standing = found.standing_of(interval)
    if interval.on is not None:
        covered = _covering(standing, interval)
        parts = (_invoiced(interval.on, interval, period_start), covered, _rated(interval.on), _misbilled(interval))
        return " ".join(part for part in parts if part)
    match interval.fate:
        case "invalid":
            return f"Not billable: {INVALID[interval.invalid or '']}. Import a corrected version to have it billed."
        case "stale":
            return "A running instance that gives no sign any more is charged up to its last sign or its longest age."
        case "uncovered":
            return f"Usage is charged only within a subscription. {_around(standing, interval)}"
        case "trial":
            return f"Usage on trial is not charged. {_free(standing, interval)}"
        case "collection_paused":
            return f"Usage is free while collection is paused. {_free(standing, interval)}"
        case "before_bill_after":
            return f"The account is charged only for usage from {when(standing.bill_after)} on."
        case "before_first_rate":
            return f"The rate card's first rate starts at {when(found.first_rate)}."
        case _:
            return f"Covered by a subscription, but on no invoice. {_unbilled(found, interval, zone)}"


def released(claim: ReleasedClaim) -> str:
    """Return why an invoice no longer has the time."""
    return claim.reason if claim.correction is None else f"cut by correction {claim.correction}"


def again(claim: ReleasedClaim) -> str:
    """Return where time that was cut is billed again, "" if nowhere."""
    return f"; billed again on {', '.join(claim.billed_again_on)}" if claim.billed_again_on else ""


def corrected_to(on: ClaimedOn) -> str:
    """Return what a correction priced the interval as, "" if it is as billed."""
    parts = []
    if on.corrected_class is not None:
        parts.append(f"class {on.corrected_class}")
    if on.corrected_quantity is not None:
        parts.append(f"quantity {format_decimal(on.corrected_quantity)}")
    return f", corrected to {' and '.join(parts)}" if parts else ""


def _invoiced(on: ClaimedOn, interval: ExplainedInterval, period_start: datetime | None) -> str:
    place = _REASONS[on.invoice_reason].format(period=on.billing_period)
    if on.invoice_state in (InvoiceState.VOIDED, InvoiceState.DELETED):
        return f"On {place}, which was voided and written off: never billed again."
    done = "Billed" if interval.fate == "billed" else "Will be billed"
    carried = ""
    if period_start is not None and interval.end <= period_start:
        carried = ", carried over because no earlier invoice billed it"
    return f"{done} on line {on.line_no} of {place}{carried}."


def _covering(standing: AccountStanding, interval: ExplainedInterval) -> str:
    for window in standing.windows:
        if window.start <= interval.start and (window.end is None or interval.end <= window.end):
            return f"Covered by {_window(window)}."
    return "According to current data, no subscription covers all of it: correct the invoice."


def _free(standing: AccountStanding, interval: ExplainedInterval) -> str:
    within = [w for w in standing.windows if w.start <= interval.start and (w.end is None or interval.end <= w.end)]
    return f"It was {_window(within[0])}." if within else ""


def _window(window: SubscriptionWindow) -> str:
    name = f"subscription {window.stripe_subscription_id}" if window.stripe_subscription_id else "a subscription"
    until = f" until {when(window.end)}" if window.end else " on"
    return f"{name}, from {when(window.start)}{until}"


def _around(standing: AccountStanding, interval: ExplainedInterval) -> str:
    before = [window for window in standing.windows if window.end is not None and window.end <= interval.start]
    after = [window for window in standing.windows if window.start >= interval.end]
    if not before and not after:
        return "The account has none."
    parts = []
    if before:
        parts.append(f"the previous one ended at {when(before[-1].end)}")
    if after:
        parts.append(f"the next began at {when(after[0].start)}")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _rated(on: ClaimedOn) -> str:
    as_default = " (not on the rate card: default rate)" if on.rated_as_default else ""
    rate = format_decimal(on.credits_per_minute)
    price = f"{format_decimal(on.price_per_credit)} {on.currency.upper()}"
    return (
        f"Class {on.workspace_class}{as_default}: {rate} credits/min, the rate in force since {when(on.rate_from)}; "
        f"{price} per credit."
    )


def _misbilled(interval: ExplainedInterval) -> str:
    if not interval.misbilled:
        return ""
    ran = {
        "account": interval.attribution_id or "no account",
        "class": f"class {interval.workspace_class}",
        "quantity": f"quantity {format_decimal(interval.quantity or Decimal(1))}",
    }
    return f"Misbilled: it ran for {', '.join(ran[name] for name in interval.misbilled)}: correct the invoice."


def _unbilled(found: Explanation, interval: ExplainedInterval, zone: tzinfo) -> str:
    standing = found.standing_of(interval)
    if interval.workspace_class not in found.rated:
        kept = f"The rate card lacks class {interval.workspace_class}: it is kept back until the card has it"
        return f"{kept}, unless UNKNOWN_CLASS=default."
    run = next_run(standing, interval.start, zone)
    month = str(BillingPeriod.containing(interval.start, zone))
    currency = standing.currency_at(interval.start)
    for period, outcome, reason, of in standing.outcomes:
        if of != currency:
            continue
        again = sentence(run, interval.end, "count")
        if outcome == "blocked":
            return f"The run of {period} could not create the account's invoice: {reason}. {again}"
        if month <= period:
            return f"The run of {period} created no invoice: {reason}. {again}"
    return sentence(run, interval.end)
