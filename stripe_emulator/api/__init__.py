"""The API's resources, one module for each."""

from __future__ import annotations

from stripe_emulator.api import (
    account,
    catalog,
    credit_notes,
    customers,
    events,
    payments,
    subscriptions,
    tax_ids,
    webhook_endpoints,
)
from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.api.invoices import invoices, items, lifecycle, lines

ENDPOINTS: list[Endpoint] = [
    endpoint
    for module in (
        account,
        catalog,
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
        webhook_endpoints,
    )
    for endpoint in module.ENDPOINTS
]
