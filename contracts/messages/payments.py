"""Messages of disputes and refunds: a bank reclaims the payment of an invoice, or it is given back."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message


class DisputeRef(Message):
    """Starts `DisputeWorkflow`."""

    stripe_dispute_id: str


class DisputeSnapshot(Message):
    """A dispute as last fetched, with the Stripe invoices that the disputed payment paid."""

    stripe_dispute_id: str
    stripe_invoice_ids: list[str]
    invoice_keys: list[str] = Field(default_factory=list)
    """The keys of ours in their metadata: Postgres may not know their ids yet."""
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


class OfInvoice(Message):
    """Our invoice that a payment was for. `invoice_key` is None if it was for none of ours: nothing was stored."""

    invoice_key: str | None = None
    attribution_id: str | None = None
    billing_period: str | None = None


class DisputeRecorded(OfInvoice):
    """A recorded dispute."""

    stripe_dispute_id: str
    status: str


class RefundsRef(Message):
    """Starts `RefundsSyncWorkflow`. Names a charge, or one refund of it if the event does not name the charge."""

    stripe_charge_id: str | None = None
    stripe_refund_id: str | None = None


class RefundSnapshot(Message):
    """A refund as last fetched. `stripe_credit_note_id` is the credit note that it belongs to, if there is one."""

    stripe_refund_id: str
    stripe_credit_note_id: str | None
    amount: int
    """Minor units."""
    currency: str
    status: str
    """Stripe's status: `pending`, `requires_action`, `succeeded`, `failed` or `canceled`."""
    reason: str
    """Stripe's reason; empty without one."""
    created_at: datetime


class PaymentRefunds(Message):
    """All refunds of a payment, with the Stripe invoices that it paid."""

    stripe_invoice_ids: list[str]
    invoice_keys: list[str] = Field(default_factory=list)
    """The keys of ours in their metadata: Postgres may not know their ids yet."""
    refunds: list[RefundSnapshot]


class RefundsRecorded(OfInvoice):
    """The recorded refunds."""
