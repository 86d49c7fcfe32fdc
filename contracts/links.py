"""Messages about Stripe invoices that do not tell whose they are."""

from contracts.invoices import StripeInvoiceSnapshot
from contracts.message import Message


class StripeInvoiceId(Message):
    """Starts `StripeInvoiceWorkflow`: a Stripe invoice's id, or that of a credit note whose invoice is meant."""

    stripe_id: str


class LinkInvoice(Message):
    """Asks Postgres whose a Stripe invoice is."""

    snapshot: StripeInvoiceSnapshot


class LinkedInvoice(Message):
    """Whose a Stripe invoice is: ours, or of an account of ours, or (neither is given) foreign."""

    stripe_invoice_id: str
    invoice_key: str | None = None
    attribution_id: str | None = None
    stripe_subscription_id: str | None = None
    stripe_customer_id: str | None = None
    status: str = ""
    """Stripe's, when it was fetched."""
    billing_reason: str | None = None

    @property
    def foreign(self) -> bool:
        """Whether it has nothing to do with us."""
        return self.invoice_key is None and self.attribution_id is None
