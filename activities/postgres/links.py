"""The owner of a Stripe invoice that does not name ours."""

from __future__ import annotations

from temporalio import activity

from activities.step import step
from billing.accounts.cycles import Cycle
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceSnapshot
from contracts.messages.owners import LinkedInvoice
from contracts.names import Activities
from storage.accounts import accounts, cycles
from storage.invoices import invoices
from storage.postgres.database import Database

_CYCLE = "subscription_cycle"


class LinkActivities:
    """Finds an invoice's owner in Postgres: by its metadata, id, subscription or customer, in this order."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.LINK_STRIPE_INVOICE)
    async def link(self, found: StripeInvoiceSnapshot) -> LinkedInvoice:
        """Return our invoice, else the account that the invoice belongs to, else neither: it is foreign.

        The cycle of a subscription that it bills is stored.
        """
        async with step():
            key = found.metadata.get(stripe_metadata.INVOICE)
            if key is None or await invoices.load_invoice(self._db, key) is None:
                key = await invoices.key_of_stripe_invoice(self._db, found.stripe_invoice_id)
            if key is not None:
                return LinkedInvoice(invoice_key=key)
            account = await self._account(found)
            if account is None:
                return LinkedInvoice()
            await self._store_cycle(account.attribution_id, found)
            return LinkedInvoice(attribution_id=account.attribution_id)

    async def _store_cycle(self, attribution_id: str, found: StripeInvoiceSnapshot) -> None:
        subscription, start, end = found.stripe_subscription_id, found.period_start, found.period_end
        if found.billing_reason != _CYCLE or subscription is None or start is None or end is None or start >= end:
            return
        await cycles.store_billed_cycle(self._db, attribution_id, subscription, Cycle(start, end))

    async def _account(self, found: StripeInvoiceSnapshot) -> accounts.AccountRecord | None:
        account = None
        named = found.attribution_id or found.metadata.get(stripe_metadata.ATTRIBUTION_ID)
        if named is not None:
            account = await accounts.get_account(self._db, named)
        if account is None and found.stripe_subscription_id is not None:
            account = await accounts.account_of_subscription(self._db, found.stripe_subscription_id)
        if account is None and found.stripe_customer_id is not None:
            account = await accounts.account_for_customer(self._db, found.stripe_customer_id)
        return account
