"""Messages of disputes: a cardholder's bank wants back what paid for an invoice."""

from datetime import datetime

from contracts.messages.base import Message


class DisputeRef(Message):
    """Starts `DisputeWorkflow`."""

    stripe_dispute_id: str


class DisputeSnapshot(Message):
    """A dispute as last fetched, with the Stripe invoices that the disputed payment was for."""

    stripe_dispute_id: str
    stripe_invoice_ids: list[str]
    amount: int
    """In minor units."""
    currency: str
    reason: str
    status: str
    """Stripe's: `needs_response`, `under_review`, `won`, `lost` ..."""
    opened_at: datetime


class RecordDispute(Message):
    """Keep what Stripe says of a dispute. `heard_at`: of the news, which is when a dispute found closed was closed."""

    dispute: DisputeSnapshot
    heard_at: datetime


class DisputeRecorded(Message):
    """The invoice of ours that is disputed; none: the payment was for nothing of ours, and nothing was kept."""

    stripe_dispute_id: str
    status: str
    invoice_key: str | None = None
    attribution_id: str | None = None
    billing_period: str | None = None
