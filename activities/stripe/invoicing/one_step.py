"""The common way of an invoice through Stripe in one step: created, filled, compared, finalized. See docs/adr/0025."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.account.rate import Pace
from activities.stripe.errors import is_refused, stored_failure, stripe_step
from activities.stripe.gateway import VERIFIED_FOR, StripeInvoices, key_may_be_gone
from activities.stripe.invoice_data import snapshot, stripe_invoice_created
from activities.stripe.invoicing.requests import InvoiceRequests, chunks_of
from activities.stripe.mode import Mode, check_mode
from contracts.messages.invoices import StripeInvoiceCreated, StripeInvoiceOrder, StripeInvoiceRef
from contracts.messages.one_step.billed import BillResult, StripeInvoiceBilled
from contracts.names import Activities

_FINALIZED = frozenset({"open", "paid"})

T = TypeVar("T")


class StripeBillingActivities:
    """Bills an invoice that nothing is known of in Stripe. The separate steps handle all that is unusual."""

    def __init__(self, client: StripeClient, mode: Mode | None = None, pace: Pace | None = None) -> None:
        self._requests = InvoiceRequests(client, pace)
        self._gateway = StripeInvoices(client, mode)
        self._mode = mode

    @activity.defn(name=Activities.BILL_STRIPE_INVOICE)
    async def bill(self, order: StripeInvoiceOrder) -> BillResult:
        """Create the invoice with its lines, compare it and finalize it, under the keys of the separate steps.

        So whichever of the two ways is taken after the other, Stripe repeats its answers and nothing is made twice. A
        refusal, a failure that Stripe keeps under a key, and an invoice that is not as ordered are returned as unusual:
        the separate steps find the same, and know what to do.

        The order holds what Postgres knew when it was made. It is not finalized by an order that may be outdated: a
        person may have decided to void the invoice since, or paused collection. That is unusual, too.

        Raises:
            ApplicationError: retryable; or non-retryable if the invoice is of the other mode than STRIPE_MODE.
        """
        async with stripe_step() as made:
            try:
                result = await _to_its_end(self._bill(order, made))
            except stripe.StripeError as error:
                if not (is_refused(error) or stored_failure(error)):
                    raise
                result = BillResult(unusual=f"Stripe: {error.user_message or error}")
            return result if result.billed else result.model_copy(update={"left": next(iter(made), None)})

    async def _bill(self, order: StripeInvoiceOrder, made: list[StripeInvoiceCreated]) -> BillResult:
        assert order.stripe_customer_id is not None
        if (why := _outdated()) is not None:
            return BillResult(unusual=why)
        if key_may_be_gone(order.generation, order.cutoff) and await self._requests.has_any(
            order.stripe_customer_id, order.invoice_key
        ):
            return BillResult(unusual="an earlier attempt created the invoice")
        posted = await self._requests.create(order)
        check_mode(self._mode, posted.invoice)
        created = stripe_invoice_created(order, posted.invoice)
        made.append(created)
        if posted.replayed:
            return BillResult(unusual=f"an earlier attempt created {created.stripe_invoice_id}")
        for chunk in chunks_of(order.lines):
            posted = await self._requests.add_lines(order, created.stripe_invoice_id, chunk)
        if (posted.invoice["currency"], posted.invoice["subtotal"]) != (order.currency, order.amount):
            return BillResult(unusual=f"{created.stripe_invoice_id} has not the figures of the order")
        if (why := _outdated()) is not None:
            return BillResult(unusual=why)
        posted = await self._requests.finalize(_ref(order, created))
        return await self._billed(created, posted.invoice)

    async def _billed(self, created: StripeInvoiceCreated, invoice: dict[str, Any]) -> BillResult:
        if invoice["status"] not in _FINALIZED:
            return BillResult(unusual=f"{created.stripe_invoice_id} is {invoice['status']} after its finalization")
        answer = snapshot(invoice, await self._gateway.lines_of(invoice))
        return BillResult(billed=StripeInvoiceBilled(created=created, snapshot=answer))


def _outdated() -> str | None:
    """Return why Postgres may know more than the order says, or None if the order is recent."""
    info = activity.info()
    if activity.is_cancelled():
        return "it was cancelled"
    if info.attempt > 1:
        return "an earlier attempt failed"
    waited = datetime.now(UTC) - info.scheduled_time
    return None if waited < VERIFIED_FOR else f"it has waited for {waited}"


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do the work to its end, also if the activity is cancelled: no request is abandoned halfway."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task


def _ref(order: StripeInvoiceOrder, created: StripeInvoiceCreated) -> StripeInvoiceRef:
    return StripeInvoiceRef(
        invoice_key=order.invoice_key,
        stripe_invoice_id=created.stripe_invoice_id,
        generation=order.generation,
    )
