"""The requests that create and finalize our invoices, each under its own idempotency key.

The SDK's raw requests have its keys, version and errors; the answer stays plain JSON, because building Stripe's objects
takes longer than the rest of a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stripe import RequestOptions, StripeClient

from activities.stripe.account.rate import OF_STRIPE, Pace
from activities.stripe.client import keyed, metadata_of
from activities.stripe.gateway import LINES_A_REQUEST
from activities.stripe.invoice_data import line_params
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceOrder, StripeInvoiceRef, StripeLine


@dataclass(frozen=True)
class Posted:
    """Stripe's answer: the invoice. If `replayed`, Stripe has kept it under the key: the invoice is as of then."""

    invoice: dict[str, Any]
    replayed: bool


class InvoiceRequests:
    """Makes the requests; `after` ends an idempotency key, see `post_once`. Stripe's errors are the SDK's.

    Drafts are created at the `pace` of the worker, which all its activities share.
    """

    def __init__(self, client: StripeClient, pace: Pace | None = None) -> None:
        self._client = client
        self._pace = pace or Pace(OF_STRIPE)

    async def create(self, order: StripeInvoiceOrder, after: tuple[str, ...] = ()) -> Posted:
        """Create a draft without lines."""
        params: dict[str, Any] = {
            "customer": order.stripe_customer_id,
            "auto_advance": False,
            "collection_method": order.collection_method,
            "currency": order.currency,
            "description": order.description,
            "metadata": order.metadata,
            "pending_invoice_items_behavior": "exclude",
        }
        if order.automatic_tax:
            params["automatic_tax"] = {"enabled": True}
        if order.days_until_due is not None:
            params["days_until_due"] = order.days_until_due
        key = keyed(order.invoice_key, str(order.generation), "create", *after)
        await self._pace.turn()
        return await self._post("/v1/invoices", params, key)

    async def add_lines(
        self,
        order: StripeInvoiceOrder,
        stripe_invoice_id: str,
        chunk: Sequence[StripeLine],
        after: tuple[str, ...] = (),
    ) -> Posted:
        """Add a chunk of the order's lines to the draft."""
        # The chunk is part of the key: completing a partly filled draft is another request.
        which = "lines " + " ".join(line.line_id.rpartition("#")[2] for line in (chunk[0], chunk[-1]))
        key = keyed(order.invoice_key, str(order.generation), stripe_invoice_id, which, *after)
        lines = [line_params(line) for line in chunk]
        return await self._post(f"/v1/invoices/{stripe_invoice_id}/add_lines", {"lines": lines}, key)

    async def finalize(self, ref: StripeInvoiceRef, after: tuple[str, ...] = ()) -> Posted:
        """Finalize the draft, which charges the customer."""
        key = keyed(ref.invoice_key, str(ref.generation), "finalize", *after)
        return await self._post(f"/v1/invoices/{ref.stripe_invoice_id}/finalize", {"auto_advance": True}, key)

    async def has_any(self, stripe_customer_id: str, invoice_key: str) -> bool:
        """Return whether the customer has an invoice whose metadata names the key; the list is strongly consistent."""
        params: dict[str, Any] = {"customer": stripe_customer_id, "limit": 100}
        while True:
            page: Any = (await self._client.raw_request_async("get", "/v1/invoices", **params)).data
            if any(metadata_of(each).get(stripe_metadata.INVOICE) == invoice_key for each in page["data"]):
                return True
            if not page["has_more"]:
                return False
            params["starting_after"] = page["data"][-1]["id"]

    async def _post(self, path: str, params: dict[str, Any], key: RequestOptions) -> Posted:
        answer = await self._client.raw_request_async("post", path, **params, **key)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        invoice: Any = answer.data
        return Posted(invoice, headers.get("idempotent-replayed") == "true")


def chunks_of(lines: Sequence[StripeLine]) -> Iterator[Sequence[StripeLine]]:
    """Return the lines in chunks, each for one request."""
    for start in range(0, len(lines), LINES_A_REQUEST):
        yield lines[start : start + LINES_A_REQUEST]
