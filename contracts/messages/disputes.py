"""Messages of disputes: a cardholder's bank reclaims the payment of an invoice."""

from datetime import datetime

from contracts.messages.base import Message


class DisputeRef(Message):
    """Starts `DisputeWorkflow`."""

    stripe_dispute_id: str


class DisputeSnapshot(Message):
    """A dispute as last fetched, with the Stripe invoices that the disputed payment paid."""

    stripe_dispute_id: str
    stripe_invoice_ids: list[str]
    amount: int
    """Minor units."""
    currency: str
    reason: str
    status: str
    """Stripe's status: `needs_response`, `under_review`, `won`, `lost` ..."""
    opened_at: datetime


class RecordDispute(Message):
    """Asks to store a dispute. `heard_at` is the time of Stripe's event; for a closed dispute, the time it closed."""

    dispute: DisputeSnapshot
    heard_at: datetime


class DisputeRecorded(Message):
    """A recorded dispute. `invoice_key` is None if the payment was for no invoice of ours: nothing was stored."""

    stripe_dispute_id: str
    status: str
    invoice_key: str | None = None
    attribution_id: str | None = None
    billing_period: str | None = None
