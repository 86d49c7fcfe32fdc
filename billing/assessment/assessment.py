"""Assess one account's usage: price it, and decide whether an invoice is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from billing.accounts.customer import NO_NEEDS, UNKNOWN_CUSTOMER, CustomerNeeds, KnownCustomer
from billing.accounts.cycles import Cycle
from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.assessment.adjusting import WaitingAdjustment
from billing.assessment.holding import NO_PAST, NOT_HELD, AccountPast, floor_in, hold
from billing.assessment.lacking import lacking
from billing.assessment.lines import (
    NOTHING_RATED,
    OutOfRangeError,
    Rated,
    UsageLine,
    below_minimum,
    by_version,
    included_by_place,
    left_unbilled_us,
    rate,
)
from billing.assessment.unknown import known_usage
from billing.errors import PricingError
from billing.invoice.key import InvoiceKey, InvoiceReason
from billing.invoice.limits import BillFigures
from billing.invoice.policy import DEFAULT_POLICY, NO_POLICY, AccountPolicy, Policy, UnknownClass
from billing.periods import BillingPeriod
from billing.pricing.graduation import Place
from billing.pricing.rating import RateCard, RatedLine, is_billable_total
from billing.usage.silence import NEVER_SILENT, Silence

NOTHING_USED: Mapping[str, Sequence[Place]] = MappingProxyType({})


@dataclass(frozen=True)
class ClaimScope:
    """Which accounts' usage is billed, up to when, and by which kind of invoice.

    Usage in `[bill_after, cutoff)` counts; the part before `period_start` counts as carried over: that is the start of
    the period, or of the subscription's cycle that the invoice bills. The page covers the accounts with
    `after < attribution_id <= through`, or all after `after` if `through` is None; `attribution_id` narrows it to one
    account, `currency` to the windows in that currency. `policy` and `charged_kinds`, the kinds of windows that are
    charged where an account's policy does not say, are the deployment's. `stripe_invoice_id` names the draft of
    Stripe's that carries the usage, if any.
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
    currency: str | None = None
    policy: Policy = DEFAULT_POLICY
    zone: tzinfo = UTC
    """The billing time zone: usage counts in its months."""
    stripe_invoice_id: str | None = None
    silence: Silence = NEVER_SILENT
    charged_kinds: frozenset[WindowKind] = PAID_ALONE
    needs: CustomerNeeds = NO_NEEDS
    """What a customer must have in Stripe for an invoice to be made."""

    @property
    def service_start(self) -> datetime | None:
        """The start of what the invoice bills, if it is not that of its period."""
        month = BillingPeriod.parse(self.period).start(self.zone)
        return None if self.period_start == month else self.period_start


AccountCurrency = tuple[str, str]
"""An attribution id and a currency of the account's windows: each has its own invoices."""


@dataclass(frozen=True)
class BillableAccount:
    """An account without a live invoice in this scope in this currency, which some of its windows have.

    `subject` and `ordinal` are its next invoice's. `account_currency` is the one of new windows, and of its limits.
    `cycles`: the monthly cycles of its subscriptions, in order, if it is charged on their invoices. `adjustments`: what
    corrections of its earlier invoices charge on its next one.
    """

    attribution_id: str
    currency: str
    account_currency: str
    stripe_customer_id: str | None
    subject: str
    ordinal: int
    policy: AccountPolicy = NO_POLICY
    past: AccountPast = NO_PAST
    cycles: tuple[Cycle, ...] = ()
    customer: KnownCustomer = UNKNOWN_CUSTOMER
    adjustments: tuple[WaitingAdjustment, ...] = ()

    @property
    def own(self) -> AccountCurrency:
        """Which account, and in which currency."""
        return self.attribution_id, self.currency


@dataclass(frozen=True)
class PricedInvoice:
    """An invoice's lines and amounts, before anything is written. Amounts are in minor units, `carried_us` is per line.

    If the rate card cannot price the usage, there are no lines. `months` holds the places that the invoice occupies in
    each month, where prices depend on the month.
    """

    key: str
    attribution_id: str
    subject: str
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


class VerdictKind(StrEnum):
    """What an account without an invoice waits for, beyond its reason's words."""

    UNKNOWN_CLASS = "unknown_class"
    """The rate card lacks a workspace class."""
    REFUSED = "refused"
    """The database cannot hold an amount, a duration or a row."""
    CUSTOMER = "customer"
    """Stripe's customer lacks something that an invoice needs."""


@dataclass(frozen=True)
class Assessment:
    """One account's usage, priced. `reason` says why no invoice is made; empty if one is.

    `carried_us` is the part of `duration_us` from before the period's start, `carried_amount` the price of that part
    alone, in minor units. `counted_amount` is what limits count of the latter. `hold` says which limit holds the
    invoice, `caution` which limit would if it did not only warn; empty if none does. `kept_back` says which usage is
    left out, because the rate card lacks its class; the other figures do not count it. `left_us` is the usage that
    stays unbilled; None if the database cannot add it up.
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
    kind: VerdictKind | None = None
    kept_back: str = ""
    left_us: int | None = None


def card_for(account: BillableAccount, deployment: RateCard) -> RateCard:  # noqa: ARG001
    """Return the rate card of an account, which is the deployment's for every account."""
    return deployment


def assess(
    scope: ClaimScope,
    card: RateCard,
    account: BillableAccount,
    by_month: Sequence[UsageLine],
    used: Mapping[str, Sequence[Place]] = NOTHING_USED,
) -> Assessment:
    """Price an account's usage and reach a verdict. `used` holds the places that its other invoices occupy."""
    card = card_for(account, card)
    holds = scope.policy.unknown_class is UnknownClass.HOLD
    billed, unknown, kept_back = known_usage(card, by_month, holds=holds, waits=scope.reason is InvoiceReason.PERIOD)
    usage = by_version(billed)
    rated, reason, kind = NOTHING_RATED, unknown, VerdictKind.UNKNOWN_CLASS if unknown or kept_back else None
    try:
        included = included_by_place(card, account.policy.included_credits, account.cycles, scope.zone)
        rated = rate(card, account.currency, billed, account.adjustments, used=used, included=included)
    except PricingError as error:
        reason, kind = str(error), VerdictKind.REFUSED if isinstance(error, OutOfRangeError) else None
    priced = _priced(scope, card, account, usage, rated)
    verdict, reason, kind = _decide(scope, account, priced, reason, kind)
    policy = account.policy.over(scope.policy, account.account_currency)
    carried_amount = sum(line.amount for line in rated.carried)
    bill = _figures(scope, card, account, policy, priced, carried_amount)
    made = verdict == Verdict.INVOICE
    held = hold(policy, bill, on_subscription=scope.reason is InvoiceReason.SUBSCRIPTION) if made else NOT_HELD
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
        kind=kind,
        kept_back=kept_back,
        left_us=None if kind is VerdictKind.REFUSED else left_unbilled_us(by_month, billed if made else ()),
    )


def _decide(
    scope: ClaimScope, account: BillableAccount, priced: PricedInvoice, reason: str, kind: VerdictKind | None
) -> tuple[Verdict, str, VerdictKind | None]:
    """Return the verdict, its reason and its kind; `reason` and `kind` say what the rate card found."""
    if reason:
        return Verdict.BLOCKED, reason, kind
    if not is_billable_total(priced.amount, priced.minimum):
        return Verdict.BELOW_MINIMUM, below_minimum(priced.amount, priced.minimum, priced.currency), kind
    if lacks := lacking(scope.reason, scope.needs, account.customer, account.stripe_customer_id):
        return Verdict.BLOCKED, lacks, VerdictKind.CUSTOMER
    return Verdict.INVOICE, "", kind


def refused(scope: ClaimScope, card: RateCard, account: BillableAccount, reason: str) -> Assessment:
    """Block an account whose usage the database refuses to add up or to store."""
    return Assessment(
        verdict=Verdict.BLOCKED,
        reason=reason,
        priced=_priced(scope, card, account, (), NOTHING_RATED),
        duration_us=0,
        carried_us=0,
        carried_amount=0,
        kind=VerdictKind.REFUSED,
    )


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
        largest_line=max((abs(line.amount) for line in priced.lines), default=0),
    )


def _priced(
    scope: ClaimScope,
    card: RateCard,
    account: BillableAccount,
    usage: Sequence[UsageLine],
    rated: Rated,
) -> PricedInvoice:
    lines = rated.lines
    return PricedInvoice(
        key=str(InvoiceKey(scope.period, account.attribution_id, scope.reason, account.subject, account.ordinal)),
        attribution_id=account.attribution_id,
        subject=account.subject,
        ordinal=account.ordinal,
        currency=account.currency,
        stripe_customer_id=account.stripe_customer_id,
        minimum=card.minimum_charge(scope.cutoff, account.currency),
        amount=sum(line.amount for line in lines),
        credits=sum((line.credits for line in lines), Decimal(0)),
        lines=lines,
        carried_us=tuple(line.carried_us for line in usage) + (0,) * (len(lines) - len(usage)),
        months=rated.months,
    )
