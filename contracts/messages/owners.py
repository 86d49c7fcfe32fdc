"""Messages that identify the owner of a Stripe invoice that does not name ours."""

from contracts.messages.base import Message


class IdentifyStripeInvoice(Message):
    """Names a Stripe invoice, ours or not."""

    stripe_invoice_id: str


class LinkedInvoice(Message):
    """The owner of a Stripe invoice: our invoice's key, or else the account; both None if it is foreign."""

    invoice_key: str | None = None
    attribution_id: str | None = None


class StripeInvoiceResult(Message):
    """The result of `StripeInvoiceWorkflow`."""

    note: str
