"""Policies and claim scopes from the deployment's settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from billing.accounts.customer import NO_NEEDS, CustomerNeeds
from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.assessment.assessment import ClaimScope
from billing.invoice.key import InvoiceReason
from billing.invoice.limits import DEFAULT_LIMITS, NO_LIMITS, Limits
from billing.invoice.policy import ChargeOn, Finalization, FreeTime, Policy, UnknownClass, parse_amounts
from billing.invoice.record import InvoiceRecord
from billing.periods import BillingPeriod
from billing.usage.silence import Silence
from settings import OFF, Settings, age


def policy_of(settings: Settings) -> Policy:
    """Return the policy of accounts that have none of their own.

    Raises:
        InputError: an amount has more decimals than its currency.
    """
    floor = _amounts(settings.limit_invoice_floor)
    defaults = DEFAULT_LIMITS if floor else NO_LIMITS
    if settings.limit_invoice_multiple is not None:
        defaults = replace(defaults, daily_multiple=None)
    if settings.limit_invoice_carried_share is not None:
        defaults = replace(defaults, carried_share=None)
    if settings.limit_first_invoice is not None:
        defaults = replace(defaults, first_invoice=None)
    return Policy(
        charge_on=ChargeOn(settings.charge_on),
        finalization=Finalization(settings.finalization),
        limits=Limits(
            amount=_amounts(settings.limit_invoice_amount),
            multiple=_factor(settings.limit_invoice_multiple),
            carried_share=_factor(settings.limit_invoice_carried_share),
            first_invoice=_factor(settings.limit_first_invoice),
        ),
        defaults=defaults,
        floor=floor,
        grace=timedelta(hours=settings.finalization_grace_hours),
        unknown_class=UnknownClass(settings.unknown_class),
        trial_usage=FreeTime(settings.trial_usage),
        paused_usage=FreeTime(settings.paused_usage),
    )


def period_limits(settings: Settings) -> Limits:
    """Return the limits of a whole period.

    Raises:
        InputError: an amount has more decimals than its currency.
    """
    return Limits(
        amount=_amounts(settings.limit_period_amount),
        multiple=_factor(settings.limit_period_multiple),
        carried_share=_factor(settings.limit_period_carried_share),
    )


def silence_of(settings: Settings) -> Silence:
    """Return when a running instance that says nothing any more counts as silent."""
    of_api = settings.stale_after if settings.api_stale_after is None else settings.api_stale_after
    stale_after, api_stale_after, max_instance_age = (
        None if text == OFF else age(text) for text in (settings.stale_after, of_api, settings.max_instance_age)
    )
    return Silence(stale_after, api_stale_after, max_instance_age)


def charged_kinds_of(settings: Settings) -> frozenset[WindowKind]:
    """Return the kinds of windows that are charged, where an account's policy does not say otherwise."""
    usage = {WindowKind.TRIAL: settings.trial_usage, WindowKind.COLLECTION_PAUSED: settings.paused_usage}
    return PAID_ALONE | {kind for kind, what in usage.items() if what == "charge"}


def needs_of(settings: Settings) -> CustomerNeeds:
    """Return what a customer must have in Stripe for an invoice of our own, by the settings."""
    return CustomerNeeds(email=settings.collection_method == "send_invoice", address=settings.automatic_tax)


def _amounts(setting: str | None) -> dict[str, int]:
    return {} if setting is None or setting == OFF else parse_amounts(setting)


def _factor(setting: Decimal | str | None) -> Decimal | None:
    return setting if isinstance(setting, Decimal) else None


def scope_of_invoice(settings: Settings, invoice: InvoiceRecord) -> ClaimScope:
    """Return the claim scope in which an invoice's usage is claimed or priced again."""
    return claim_scope(
        settings,
        BillingPeriod.parse(invoice.billing_period),
        invoice.reason,
        invoice.subject,
        cutoff=invoice.cutoff,
        service_start=invoice.service_start,
        attribution_id=invoice.attribution_id,
    )


def claim_scope(
    settings: Settings,
    period: BillingPeriod,
    reason: InvoiceReason = InvoiceReason.PERIOD,
    subject: str = "",
    *,
    cutoff: datetime | None = None,
    service_start: datetime | None = None,
    after: str = "",
    through: str | None = None,
    attribution_id: str | None = None,
    currency: str | None = None,
    stripe_invoice_id: str | None = None,
    makes_invoices: bool = False,
) -> ClaimScope:
    """Return the claim scope of an invoice of this period, by default from the period's start to its end.

    `makes_invoices`: whether invoices come of it, which need something of the customer.
    """
    return ClaimScope(
        period=str(period),
        reason=reason,
        subject=subject,
        cutoff=period.end(settings.zone) if cutoff is None else cutoff,
        period_start=service_start or period.start(settings.zone),
        bill_after=settings.bill_after,
        after=after,
        through=through,
        attribution_id=attribution_id,
        currency=currency,
        policy=policy_of(settings),
        zone=settings.zone,
        stripe_invoice_id=stripe_invoice_id,
        silence=silence_of(settings),
        charged_kinds=charged_kinds_of(settings),
        needs=needs_of(settings) if makes_invoices else NO_NEEDS,
    )
