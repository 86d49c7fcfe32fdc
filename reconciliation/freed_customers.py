"""Customers that may be charged in another currency now, by the ends of invoices that are not ours."""

from __future__ import annotations

from typing import Any

_ENDS = frozenset(["invoice.paid", "invoice.marked_uncollectible", "invoice.voided", "invoice.deleted"])


def freed_customer(event: dict[str, Any]) -> str | None:
    """Return the customer of an invoice that has ended in Stripe. None for any other event.

    Stripe takes no invoice of a customer with something open in another currency, such as the items of that invoice
    (https://docs.stripe.com/invoicing/multi-currency-customers).
    """
    if event.get("type") not in _ENDS:
        return None
    customer = event["data"]["object"].get("customer")
    found = customer.get("id") if isinstance(customer, dict) else customer
    return found if isinstance(found, str) else None
