"""Assess one account's usage: price it, and decide whether an invoice is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from billing.assessment.holding import NO_PAST, NOT_HELD, AccountPast, Held, floor_in, hold
from billing.errors import PricingError
from billing.invoice.key import InvoiceKey, InvoiceReason
from billing.invoice.limits import BillFigures
from billing.invoice.policy import DEFAULT_POLICY, NO_POLICY, AccountPolicy, Policy
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.pricing.graduation import Graduated, MonthlyUsage, Place, graduate
from billing.pricing.rating import RateCard, RatedLine, is_billable_total
from billing.usage.silence import NEVER_SILENT, Silence

_LARGEST = 2**63 - 1
_MOST_LINES = 2**15 - 1
"""Line numbers are smallints. Stripe allows fewer lines, so they are folded there."""
NOTHING_USED: Mapping[str, Sequence[Place]] = MappingProxyType({})


@dataclass(frozen=True)
class ClaimScope:
    """Which accounts' usage is billed, up to when, and by which kind of invoice.

    Usage in `[bill_after, cutoff)` counts; the part before `period_start` counts as carried over. The page covers the
    accounts with `after < attribution_id <= through`, or all after `after` if `through` is None; `attribution_id`
    narrows it to one account. `policy` is the deployment's. `stripe_invoice_id` names the draft of Stripe's that
    carries the usage, if any.
    """

    period: str
    reason: InvoiceReason
    subject: str
    cutoff: datetime
    period_start: datetime
    bill_after: datetime | None
    after: str = ""
    through: str | None = None
    attribution_id: str | None = None
    policy: Policy = DEFAULT_POLICY
    zone: tzinfo = UTC
    """The billing time zone: usage counts in its months."""
    stripe_invoice_id: str | None = None
    silence: Silence = NEVER_SILENT


@dataclass(frozen=True)
class BillableAccount:
    """An account without a live invoice in this scope. `ordinal` is its next invoice's."""

    attribution_id: str
    currency: str
    stripe_customer_id: str | None
    ordinal: int
    policy: AccountPolicy = NO_POLICY
    past: AccountPast = NO_PAST


@dataclass(frozen=True)
class UsageLine:
    """Billable microseconds of one (workspace class, rate version); `carried_us` of them precede the period.

    `quantity_us` and `carried_quantity_us` are the same times quantity. `month` is `YYYY-MM` in the billing time zone
    if prices depend on the month, else empty. `first_instance`: the first of the instances that ran, by id.
    """

    workspace_class: str
    rate_from: datetime
    duration_us: int
    quantity_us: Decimal
    carried_us: int
    carried_quantity_us: Decimal
    first_instance: str
    month: str = ""


@dataclass(frozen=True)
class PricedInvoice:
    """An invoice's lines and amounts, before anything is written. Amounts are in minor units, `carried_us` is per line.

    If the rate card cannot price the usage, there are no lines. `months` holds the places that the invoice occupies in
    each month, where prices depend on the month.
    """

    key: str
    attribution_id: str
    ordinal: int
    currency: str
    stripe_customer_id: str | None
    minimum: int
    amount: int
    credits: Decimal
    lines: tuple[RatedLine, ...]
    carried_us: tuple[int, ...]
    months: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)


class Verdict(StrEnum):
    """What a run decides about an account's usage."""

    INVOICE = "invoice"
    BELOW_MINIMUM = "below_minimum"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Assessment:
    """One account's usage, priced. `reason` says why no invoice is made; empty if one is.

    `carried_us` is the part of `duration_us` from before the period's start, `carried_amount` the price of that part
    alone, in minor units. `counted_amount` is what limits count of the latter. `hold` says which limit holds the
    invoice, `caution` which limit would if it did not only warn; empty if none does.
    """

    verdict: Verdict
    reason: str
    priced: PricedInvoice
    duration_us: int
    carried_us: int
    carried_amount: int
    counted_amount: int = 0
    hold: str = ""
    caution: str = ""
    policy: Policy = DEFAULT_POLICY


def assess(
    scope: ClaimScope,
    card: RateCard,
    account: BillableAccount,
    by_month: Sequence[UsageLine],
    used: Mapping[str, Sequence[Place]] = NOTHING_USED,
) -> Assessment:
    """Price an account's usage and reach a verdict. `used` holds the places that its other invoices occupy."""
    usage = _by_version(by_month)
    months: Mapping[str, tuple[Place, ...]] = {}
    try:
        lines = tuple(_rate(card, account.currency, line, line.duration_us, line.quantity_us) for line in usage)
        carried = _rate_carried(card, account.currency, usage)
        if any(line.month for line in by_month):
            graduated = _graduate(scope, card, account, by_month, lines, used)
            lines, months = lines + graduated.lines, graduated.months
        reason = _out_of_range(lines) or _too_many(lines)
    except PricingError as error:
        lines, carried, reason = (), [], str(error)
    priced = _priced(scope, card, account, usage, lines, months)
    verdict = Verdict.BLOCKED if reason else Verdict.INVOICE
    if not reason and not is_billable_total(priced.amount, priced.minimum):
        verdict, reason = Verdict.BELOW_MINIMUM, _below_minimum(priced)
    policy = account.policy.over(scope.policy, account.currency)
    carried_amount = sum(line.amount for line in carried)
    bill = _figures(scope, card, account, policy, priced, carried_amount)
    held = _held(scope, policy, bill) if verdict == Verdict.INVOICE else NOT_HELD
    return Assessment(
        verdict=verdict,
        reason=reason,
        priced=priced,
        duration_us=sum(line.duration_us for line in usage),
        carried_us=sum(line.carried_us for line in usage),
        carried_amount=carried_amount,
        counted_amount=bill.carried,
        hold=held.hold,
        caution=held.caution,
        policy=policy,
    )


def _held(scope: ClaimScope, policy: Policy, bill: BillFigures) -> Held:
    return hold(policy, bill, on_subscription=scope.reason is InvoiceReason.SUBSCRIPTION)


def _figures(
    scope: ClaimScope, card: RateCard, account: BillableAccount, policy: Policy, priced: PricedInvoice, carried: int
) -> BillFigures:
    past = account.past
    excused = 0
    if carried:
        excused = sum(
            card.rate_line(x.workspace_class, x.rate_from, x.duration_us, account.currency, x.quantity_us).amount
            for x in past.excused
        )
    return BillFigures(
        what="the invoice",
        currency=priced.currency,
        amount=priced.amount,
        carried=max(carried - excused, 0),
        previous=past.previous_amount,
        window_us=past.window_us,
        previous_us=past.previous_us,
        is_first=past.is_first,
        floor=floor_in(priced.currency, policy.floor, card, scope.cutoff),
    )


def _by_version(usage: Sequence[UsageLine]) -> list[UsageLine]:
    """Merge the months: one line per (workspace class, rate version), in order of first appearance."""
    lines: dict[tuple[str, datetime], UsageLine] = {}
    for each in usage:
        key = (each.workspace_class, each.rate_from)
        before = lines.get(key)
        lines[key] = replace(each, month="") if before is None else _joined(before, each)
    return list(lines.values())


def _joined(one: UsageLine, other: UsageLine) -> UsageLine:
    return replace(
        one,
        duration_us=one.duration_us + other.duration_us,
        quantity_us=one.quantity_us + other.quantity_us,
        carried_us=one.carried_us + other.carried_us,
        carried_quantity_us=one.carried_quantity_us + other.carried_quantity_us,
        first_instance=min(one.first_instance, other.first_instance),
    )


def _graduate(
    scope: ClaimScope,
    card: RateCard,
    account: BillableAccount,
    usage: Sequence[UsageLine],
    lines: Sequence[RatedLine],
    used: Mapping[str, Sequence[Place]],
) -> Graduated:
    own = account.policy.included_credits

    def included(month: str) -> Decimal:
        return card.included_credits(BillingPeriod.parse(month).start(scope.zone)) if own is None else own

    monthly = [MonthlyUsage(each.workspace_class, each.rate_from, each.month, each.quantity_us) for each in usage]
    return graduate(card, account.currency, monthly, lines, used=used, included=included)


def _rate(card: RateCard, currency: str, line: UsageLine, duration_us: int, quantity_us: Decimal) -> RatedLine:
    return card.rate_line(line.workspace_class, line.rate_from, duration_us, currency, quantity_us)


def _rate_carried(card: RateCard, currency: str, usage: Sequence[UsageLine]) -> list[RatedLine]:
    return [_rate(card, currency, x, x.carried_us, x.carried_quantity_us) for x in usage if x.carried_us]


def _priced(
    scope: ClaimScope,
    card: RateCard,
    account: BillableAccount,
    usage: Sequence[UsageLine],
    lines: tuple[RatedLine, ...],
    months: Mapping[str, tuple[Place, ...]],
) -> PricedInvoice:
    return PricedInvoice(
        key=str(InvoiceKey(scope.period, account.attribution_id, scope.reason, scope.subject, account.ordinal)),
        attribution_id=account.attribution_id,
        ordinal=account.ordinal,
        currency=account.currency,
        stripe_customer_id=account.stripe_customer_id,
        minimum=card.minimum_charge(scope.cutoff, account.currency),
        amount=sum(line.amount for line in lines),
        credits=sum((line.credits for line in lines), Decimal(0)),
        lines=lines,
        carried_us=tuple(line.carried_us for line in usage) + (0,) * (len(lines) - len(usage)),
        months=months,
    )


def _out_of_range(lines: Sequence[RatedLine]) -> str:
    return "the amount is larger than any invoice can be" if sum(x.amount for x in lines) > _LARGEST else ""


def _too_many(lines: Sequence[RatedLine]) -> str:
    if len(lines) <= _MOST_LINES:
        return ""
    return (
        f"the usage needs {len(lines)} lines (one for each workspace class and rate version), but an invoice "
        f"holds at most {_MOST_LINES}: use fewer workspace classes or rate versions"
    )


def _below_minimum(priced: PricedInvoice) -> str:
    total = format_amount(priced.amount, priced.currency)
    if priced.amount == 0:
        return f"the total is {total}: carried to the next period"
    minimum = format_amount(priced.minimum, priced.currency)
    return f"{total} is below the minimum charge of {minimum}: carried to the next period"
