"""Claim scopes as the deployment's settings have them."""

from __future__ import annotations

from datetime import datetime

from billing.invoice import InvoiceReason
from billing.periods import BillingPeriod
from settings import Settings
from storage.drafts import ClaimScope


def claim_scope(
    settings: Settings,
    period: BillingPeriod,
    reason: InvoiceReason = InvoiceReason.PERIOD,
    subject: str = "",
    *,
    cutoff: datetime | None = None,
    after: str = "",
    through: str | None = None,
    attribution_id: str | None = None,
    stripe_invoice_id: str | None = None,
) -> ClaimScope:
    """The scope of an invoice of this period; without a cutoff up to its end."""
    return ClaimScope(
        period=str(period),
        reason=reason,
        subject=subject,
        cutoff=period.end(settings.zone) if cutoff is None else cutoff,
        period_start=period.start(settings.zone),
        bill_after=settings.bill_after,
        after=after,
        through=through,
        attribution_id=attribution_id,
        policy=settings.policy,
        zone=settings.zone,
        stripe_invoice_id=stripe_invoice_id,
    )
