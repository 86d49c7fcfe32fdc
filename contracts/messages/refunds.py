"""Messages of refunds: a payment of an invoice is given back, by a credit note or by a person in Stripe."""

from datetime import datetime

from contracts.messages.base import Message


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
    refunds: list[RefundSnapshot]


class RefundsRecorded(Message):
    """The recorded refunds. `invoice_key` is None if the payment was for no invoice of ours: nothing was stored."""

    invoice_key: str | None = None
    attribution_id: str | None = None
    billing_period: str | None = None
