"""Stripe invoices of which nothing but an id is known."""

from __future__ import annotations

from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe_client import as_dict
from activities.stripe_errors import stripe_step
from activities.stripe_invoice_data import snapshot
from activities.stripe_mode import Mode, check_mode
from contracts.invoices import StripeInvoiceSnapshot
from contracts.links import StripeInvoiceId
from contracts.names import Activities

_NOT_FOUND = 404
_CREDIT_NOTE = "cn_"


class StripeLinkActivities:
    """Fetches what is to be linked to an invoice or an account of ours."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._invoices = client.v1.invoices
        self._credit_notes = client.v1.credit_notes
        self._mode = mode

    @activity.defn(name=Activities.FIND_STRIPE_INVOICE)
    async def find(self, wanted: StripeInvoiceId) -> StripeInvoiceSnapshot:
        """The invoice as Stripe has it now; status `deleted` when this key does not see it, which proves nothing.

        Raises:
            ApplicationError: non-retryable when it is of the other mode than STRIPE_MODE.
        """
        with stripe_step():
            stripe_id = wanted.stripe_id
            try:
                if stripe_id.startswith(_CREDIT_NOTE):
                    stripe_id = as_dict(await self._credit_notes.retrieve_async(stripe_id))["invoice"]
                invoice = as_dict(await self._invoices.retrieve_async(stripe_id))
            except stripe.InvalidRequestError as error:
                if error.http_status != _NOT_FOUND:
                    raise
                return StripeInvoiceSnapshot(stripe_invoice_id=stripe_id, status="deleted")
            check_mode(self._mode, invoice)
            return snapshot(invoice, await self._lines(invoice))

    async def _lines(self, invoice: dict[str, Any]) -> list[dict[str, Any]]:
        if not invoice["lines"].get("has_more"):
            lines: list[dict[str, Any]] = invoice["lines"]["data"]
            return lines
        page = await self._invoices.line_items.list_async(invoice["id"], {"limit": 100})
        return [as_dict(line) async for line in page.auto_paging_iter()]
