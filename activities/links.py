"""Whose a Stripe invoice is, as far as Postgres can tell."""

from __future__ import annotations

from temporalio import activity

from activities.errors import step
from contracts import stripe_metadata
from contracts.links import LinkedInvoice, LinkInvoice
from contracts.names import Activities
from contracts.stripe_events import is_key
from storage import links
from storage.database import Database


class LinkActivities:
    """Links Stripe's invoices to ours and to accounts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.LINK_STRIPE_INVOICE)
    async def link(self, order: LinkInvoice) -> LinkedInvoice:
        """Our invoice, by metadata or by Stripe's id; else the account, by metadata, subscription or customer."""
        async with step():
            found = order.snapshot
            named = found.metadata.get(stripe_metadata.INVOICE, "")
            key = named if is_key(named) else None
            owner = await links.owner(
                self._db,
                links.Clues(
                    key=key,
                    stripe_invoice_id=found.stripe_invoice_id,
                    attribution_id=found.metadata.get(stripe_metadata.ATTRIBUTION_ID),
                    stripe_subscription_id=found.stripe_subscription_id,
                    stripe_customer_id=found.stripe_customer_id,
                ),
            )
            return LinkedInvoice(
                stripe_invoice_id=found.stripe_invoice_id,
                # One that Postgres does not know is for its workflow to say: it is counted there.
                invoice_key=owner.invoice_key or key,
                attribution_id=owner.attribution_id,
                stripe_subscription_id=found.stripe_subscription_id,
                stripe_customer_id=found.stripe_customer_id,
                status=found.status,
                billing_reason=found.billing_reason,
            )
