"""The result of the one Stripe step, and the order to settle by it."""

from contracts.messages.base import Message
from contracts.messages.invoices import StripeInvoiceCreated, StripeInvoiceSnapshot


class StripeInvoiceBilled(Message):
    """A Stripe invoice that was created with our lines and finalized."""

    created: StripeInvoiceCreated
    snapshot: StripeInvoiceSnapshot
    """Stripe's invoice after its finalization, with all its lines, as fetching it would return it."""


class BillResult(Message):
    """The result of the one Stripe step."""

    billed: StripeInvoiceBilled | None = None
    """None if the step found something that only the separate steps handle; then nothing was finalized by it."""
    unusual: str = ""
    """What it found, in words."""
    left: StripeInvoiceCreated | None = None
    """What it had created in Stripe, or found there, before something was unusual."""


class SettleBilled(Message):
    """Asks to record the Stripe invoice, to compare the books with it and to move our invoice to Stripe's state."""

    billed: StripeInvoiceBilled
