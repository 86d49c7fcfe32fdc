"""The permission of a restricted key that an endpoint needs, under the name that Stripe's refusal shows.

https://docs.stripe.com/stripe-apps/reference/permissions lists them; a refusal shows `rak_` before the name.
"""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint

_RESOURCES = {
    "account": "connected_account",
    "charges": "charge",
    "coupons": "coupon",
    "credit_notes": "credit_note",
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "invoice_payments": "invoice",
    "invoiceitems": "invoice",
    "invoices": "invoice",
    "prices": "plan",
    "products": "product",
    "refunds": "charge",
    "subscriptions": "subscription",
    "tax": "tax_settings",
    "webhook_endpoints": "webhook",
}
PERMISSIONS = frozenset(f"{name}_{access}" for name in _RESOURCES.values() for access in ("read", "write"))


def permission_for(endpoint: Endpoint) -> str:
    """Return the permission that this endpoint needs, such as `customer_write`."""
    resource = _RESOURCES[endpoint.template.split("/")[2]]
    return f"{resource}_{'read' if endpoint.method == 'GET' else 'write'}"
