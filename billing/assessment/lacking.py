"""What the customer of an account lacks for an invoice, and how the usage is billed afterwards."""

from __future__ import annotations

from billing.accounts.customer import CustomerNeeds, KnownCustomer, unmet
from billing.invoice.key import InvoiceReason

_BY_ITSELF = "and it is billed within 15 minutes"
_ONCE_MET = {
    InvoiceReason.PERIOD: _BY_ITSELF,
    InvoiceReason.CANCELLATION: _BY_ITSELF,
    InvoiceReason.SUBSCRIPTION: "and its usage goes on the subscription's next invoice (on this one within its hour)",
}


def lacking(reason: InvoiceReason, needs: CustomerNeeds, known: KnownCustomer, stripe_customer_id: str | None) -> str:
    """Say what the customer lacks for an invoice that is made for this reason. Empty if it lacks nothing."""
    return unmet(needs, known, stripe_customer_id, _ONCE_MET[reason])
