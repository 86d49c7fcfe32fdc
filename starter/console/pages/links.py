"""Where an invoice and an account are elsewhere: in Stripe, and in Temporal."""

from __future__ import annotations

from billing.invoice.record import InvoiceRecord
from contracts import workflow_ids
from starter.acting.mode import Mode, mode_of
from starter.console.services import ConsoleServices
from starter.links import Link, links, stripe_url, workflow_url
from storage.lookup.hosted import hosted_url


async def links_of_invoice(own: ConsoleServices, record: InvoiceRecord) -> list[Link]:
    """Return the places that show an invoice and have a known address."""
    live = await _is_live(own)
    return links(
        stripe_invoice=stripe_url(own.settings, record.stripe_invoice_id, live=live),
        stripe_customer=stripe_url(own.settings, record.stripe_customer_id, live=live),
        hosted_page=await hosted_url(own.db, record.id),
        workflow_in_Temporal=workflow_url(own.settings, workflow_ids.invoice(record.key)),
    )


async def links_of_customer(own: ConsoleServices, stripe_customer_id: str | None) -> list[Link]:
    """Return the places that show a customer and have a known address."""
    return links(stripe_customer=stripe_url(own.settings, stripe_customer_id, live=await _is_live(own)))


async def _is_live(own: ConsoleServices) -> bool | None:
    """Return whether Stripe's key is live. None if neither this process nor the billing worker says so."""
    mode = await mode_of(own.settings, own.db)
    return None if mode is Mode.UNKNOWN else mode is Mode.LIVE
