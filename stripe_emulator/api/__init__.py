"""The API's resources, one module each."""

from __future__ import annotations

from stripe_emulator.api import (
    account,
    catalog,
    credit_notes,
    customers,
    events,
    invoice_items,
    invoice_lifecycle,
    invoice_lines,
    invoices,
    payments,
    subscriptions,
    webhook_endpoints,
)
from stripe_emulator.api.endpoint import Endpoint

ENDPOINTS: list[Endpoint] = [
    endpoint
    for module in (
        account,
        catalog,
        credit_notes,
        customers,
        events,
        invoice_items,
        invoice_lifecycle,
        invoice_lines,
        invoices,
        payments,
        subscriptions,
        webhook_endpoints,
    )
    for endpoint in module.ENDPOINTS
]
