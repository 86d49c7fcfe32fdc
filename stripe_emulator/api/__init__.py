"""The API's resources, one module for each."""

from __future__ import annotations

from stripe_emulator.api import (
    account,
    catalog,
    coupons,
    customers,
    events,
    payments,
    subscriptions,
    tax_ids,
    tax_settings,
    webhook_endpoints,
)
from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.api.invoices import credit_notes, invoices, items, lifecycle, lines

ENDPOINTS: list[Endpoint] = [
    endpoint
    for module in (
        account,
        catalog,
        coupons,
        credit_notes,
        customers,
        events,
        items,
        lifecycle,
        lines,
        invoices,
        payments,
        subscriptions,
        tax_ids,
        tax_settings,
        webhook_endpoints,
    )
    for endpoint in module.ENDPOINTS
]
