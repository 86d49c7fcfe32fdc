"""Where a customer is, for automatic tax.

As https://docs.stripe.com/tax/customer-locations says, the customer's address counts if there is one, else the billing
details of the most specific payment method. The emulator's payment methods have complete billing details.
"""

from __future__ import annotations

import re

from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError

_COUNTRY = re.compile(r"[A-Z]{2}")
_US_CODE = re.compile(r"\d{5}(-\d{4})?")


def location(account_country: str, customer: Obj, *charged: Obj) -> Obj | None:
    """Return the location of a customer as `customer.tax.location` has it, or None if it is not recognized.

    `charged` are an invoice or a subscription, the most specific first, whose default payment method counts.
    """
    address = customer["address"]
    if address is not None:
        if not _recognized(address):
            return None
        return {"country": address["country"], "source": "billing_address", "state": address["state"]}
    methods = [one["default_payment_method"] for one in (*charged, customer["invoice_settings"])]
    if any(methods):
        return {"country": account_country, "source": "payment_method", "state": None}
    return None


def _recognized(address: Obj) -> bool:
    """Whether an address has what its country needs: https://docs.stripe.com/tax/invoicing#set-up-customer."""
    country, code = address["country"] or "", address["postal_code"] or ""
    if country == "US":
        return _US_CODE.fullmatch(code) is not None
    if country == "CA":
        return bool(code or address["state"])
    return _COUNTRY.fullmatch(country) is not None


def unrecognized() -> StripeError:
    """Return the error for automatic tax of a customer whose location is not recognized."""
    return StripeError(
        "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate "
        "tax.",
        code="customer_tax_location_invalid",
        param="automatic_tax",
    )


def missing_email() -> StripeError:
    """Return the error for `send_invoice` to a customer without an email address."""
    return StripeError(
        "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid "
        "email."
    )


def check_subscriber(account_country: str, subscription: Obj, customer: Obj) -> None:
    """Refuse a subscription whose invoices could not be sent to its customer, or not be taxed.

    Raises:
        StripeError: the customer has no email address, or no location that is recognized.
    """
    if subscription["collection_method"] == "send_invoice" and customer["email"] is None:
        raise missing_email()
    if subscription["automatic_tax"]["enabled"] and location(account_country, customer, subscription) is None:
        raise unrecognized()
