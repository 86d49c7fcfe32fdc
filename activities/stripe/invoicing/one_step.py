"""The common way of an invoice through Stripe in one step: created, filled, compared, finalized. See docs/adr/0025."""

from __future__ import annotations

from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.errors import is_refused, stored_failure, stripe_step
from activities.stripe.gateway import StripeInvoices, key_may_be_gone
from activities.stripe.invoice_data import check_draft, found_finalized, snapshot, stripe_invoice_created
from activities.stripe.invoicing.requests import InvoiceRequests, chunks_of
from activities.stripe.mode import Mode, check_mode
from billing.errors import EditedInvoiceError
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceCreated, StripeInvoiceOrder, StripeInvoiceRef
from contracts.messages.one_step.billed import BillResult, StripeInvoiceBilled
from contracts.names import Activities
from reconciliation.figures import lines_digest

_FINALIZED = frozenset({"open", "paid"})


class StripeBillingActivities:
    """Bills an invoice that nothing is known of in Stripe. The separate steps handle all that is unusual."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._requests = InvoiceRequests(client)
        self._gateway = StripeInvoices(client, mode)
        self._mode = mode

    @activity.defn(name=Activities.BILL_STRIPE_INVOICE)
    async def bill(self, order: StripeInvoiceOrder) -> BillResult:
        """Create the invoice with its lines, compare it and finalize it, under the keys of the separate steps.

        So whichever of the two ways is taken after the other, Stripe repeats its answers and nothing is made twice. A
        refusal, a failure that Stripe keeps under a key, and an invoice that is not as ordered are returned as unusual:
        the separate steps find the same, and know what to do.

        Raises:
            ApplicationError: retryable; or non-retryable if the invoice is of the other mode than STRIPE_MODE.
        """
        async with stripe_step() as made:
            try:
                return await self._bill(order, made)
            except EditedInvoiceError as error:
                return BillResult(unusual=str(error))
            except stripe.StripeError as error:
                if not (is_refused(error) or stored_failure(error)):
                    raise
                return BillResult(unusual=f"Stripe: {error.user_message or error}")

    async def _bill(self, order: StripeInvoiceOrder, made: list[StripeInvoiceCreated]) -> BillResult:
        assert order.stripe_customer_id is not None
        if key_may_be_gone(order.generation, order.cutoff) and await self._requests.has_any(
            order.stripe_customer_id, order.invoice_key
        ):
            return BillResult(unusual="an earlier attempt created the invoice")
        posted = await self._requests.create(order)
        check_mode(self._mode, posted.invoice)
        created = stripe_invoice_created(order, posted.invoice)
        made.append(created)
        as_of_now = activity.info().attempt == 1 and not posted.replayed
        for chunk in chunks_of(order.lines):
            posted = await self._requests.add_lines(order, created.stripe_invoice_id, chunk)
            as_of_now = as_of_now and not posted.replayed
        if (posted.invoice["currency"], posted.invoice["subtotal"]) != (order.currency, order.amount):
            return BillResult(unusual=f"{created.stripe_invoice_id} has not the figures of the order")
        ref = _ref(order, created)
        if not as_of_now and (result := await self._compare_again(ref, created)) is not None:
            return result
        posted = await self._requests.finalize(ref)
        return await self._billed(created, posted.invoice)

    async def _compare_again(self, ref: StripeInvoiceRef, created: StripeInvoiceCreated) -> BillResult | None:
        """Fetch the invoice of an earlier attempt. Returns None if it is a draft, and still as ordered.

        Raises:
            EditedInvoiceError: somebody edited the draft.
        """
        fetched = await self._gateway.fetch(ref)
        if fetched.metadata.get(stripe_metadata.REPORT_ID) != ref.report_id:
            return BillResult(unusual=f"{ref.stripe_invoice_id} names another report")
        if fetched.status in _FINALIZED:
            return BillResult(billed=StripeInvoiceBilled(created=created, snapshot=found_finalized(fetched)))
        if fetched.status != "draft":
            return BillResult(unusual=f"{ref.stripe_invoice_id} is {fetched.status}")
        check_draft(ref, fetched)
        return None

    async def _billed(self, created: StripeInvoiceCreated, invoice: dict[str, Any]) -> BillResult:
        if invoice["status"] not in _FINALIZED:
            return BillResult(unusual=f"{created.stripe_invoice_id} is {invoice['status']} after its finalization")
        answer = snapshot(invoice, await self._gateway.lines_of(invoice))
        return BillResult(billed=StripeInvoiceBilled(created=created, snapshot=answer))


def _ref(order: StripeInvoiceOrder, created: StripeInvoiceCreated) -> StripeInvoiceRef:
    return StripeInvoiceRef(
        invoice_key=order.invoice_key,
        stripe_invoice_id=created.stripe_invoice_id,
        generation=order.generation,
        stripe_customer_id=created.stripe_customer_id,
        currency=order.currency,
        amount=order.amount,
        lines_digest=lines_digest((line.line_id, line.amount) for line in order.lines),
        report_id=order.metadata.get(stripe_metadata.REPORT_ID, ""),
    )
