"""Stripe's side of an audit: its invoices and credit notes, listed page by page as compact facts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant, metadata_of
from activities.stripe.credit_notes import snapshot as credit_note_snapshot
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import StripeInvoices
from activities.stripe.invoice_data import snapshot
from activities.stripe.mode import Mode, check_mode
from contracts import stripe_metadata
from contracts.messages.audit import (
    InvoicesRefreshed,
    StripeCreditNoteFacts,
    StripeCreditNotesListed,
    StripeInvoiceFacts,
    StripeInvoicesListed,
    StripePage,
    Suspects,
)
from contracts.messages.invoices import StripeInvoiceRef, StripeInvoiceSnapshot
from contracts.names import Activities
from reconciliation.figures import lines_digest

_PAGE = 100
_AT_ONCE = 4
"""Parallel requests of one step: the queue's rate limit counts only steps."""


class StripeAuditActivities:
    """Lists and fetches; changes nothing."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._invoices = client.v1.invoices
        self._notes = client.v1.credit_notes
        self._mode: Mode | None = mode
        self._gateway = StripeInvoices(client, mode)

    @activity.defn(name=Activities.LIST_STRIPE_INVOICES)
    async def list_invoices(self, page: StripePage) -> StripeInvoicesListed:
        """List at most 100 invoices, newest first; return those with our metadata as facts.

        Raises:
            ApplicationError: non-retryable if Stripe refuses, or lists invoices of the other mode.
        """
        async with stripe_step():
            found, more = await _page(self._invoices, page)
            for invoice in found[:1]:  # a key sees only one mode
                check_mode(self._mode, invoice)
            ours = [invoice for invoice in found if metadata_of(invoice).get(stripe_metadata.INVOICE)]
            facts = await _bounded([self._facts(invoice) for invoice in ours])
        return StripeInvoicesListed(invoices=facts, seen=len(found), next=_next(page, found, more))

    @activity.defn(name=Activities.LOOK_AT_STRIPE_INVOICES)
    async def refresh(self, suspects: Suspects) -> InvoicesRefreshed:
        """Fetch these invoices; the status of an invoice that is gone is `deleted`.

        Raises:
            ApplicationError: retryable, of type StripeCredentials, if the key does not even see an invoice's customer.
        """
        refs = [
            StripeInvoiceRef(
                invoice_key=each.invoice_key,
                stripe_invoice_id=each.stripe_invoice_id,
                stripe_customer_id=each.stripe_customer_id,
            )
            for each in suspects.suspects
        ]
        async with stripe_step():
            found = await _bounded([self._gateway.fetch(ref) for ref in refs])
        return InvoicesRefreshed(invoices=[facts_of(each) for each in found])

    @activity.defn(name=Activities.LIST_ALL_STRIPE_CREDIT_NOTES)
    async def list_credit_notes(self, page: StripePage) -> StripeCreditNotesListed:
        """List at most 100 credit notes, newest first, of any invoices.

        Raises:
            ApplicationError: non-retryable if Stripe refuses.
        """
        async with stripe_step():
            found, more = await _page(self._notes, page)
        return StripeCreditNotesListed(
            credit_notes=[credit_note_facts(note) for note in found], next=_next(page, found, more)
        )

    async def _facts(self, invoice: dict[str, Any]) -> StripeInvoiceFacts:
        return facts_of(snapshot(invoice, await self._gateway.lines_of(invoice)))


def facts_of(found: StripeInvoiceSnapshot) -> StripeInvoiceFacts:
    """Return the facts of an invoice that the audit compares."""
    if found.status == "deleted":
        return StripeInvoiceFacts(stripe_invoice_id=found.stripe_invoice_id, status=found.status)
    ours = [(line.line_id, line.amount) for line in found.lines if line.line_id]
    times = (found.finalized_at, found.paid_at, found.voided_at, found.marked_uncollectible_at)
    return StripeInvoiceFacts(
        stripe_invoice_id=found.stripe_invoice_id,
        status=found.status,
        stripe_customer_id=found.stripe_customer_id,
        currency=found.currency,
        subtotal=found.subtotal,
        total=found.total,
        discount=found.discount,
        tax=found.tax,
        lines_digest=lines_digest((line.line_id, line.amount) for line in found.lines),
        our_amount=sum(amount for _, amount in ours),
        our_lines_digest=lines_digest(ours),
        metadata={key: found.metadata[key] for key in stripe_metadata.OF_AN_INVOICE if key in found.metadata},
        changed_at=max((at for at in times if at is not None), default=None),
        collection_stopped=found.collection_stopped,
        number=found.number,
        hosted_invoice_url=found.hosted_invoice_url,
    )


def credit_note_facts(note: dict[str, Any]) -> StripeCreditNoteFacts:
    """Return the facts of a credit note that the audit compares."""
    found = credit_note_snapshot(note)
    invoice = note["invoice"]
    return StripeCreditNoteFacts(
        stripe_credit_note_id=found.stripe_credit_note_id,
        stripe_invoice_id=invoice["id"] if isinstance(invoice, dict) else invoice,
        credit_note_key=found.credit_note_key,
        amount=found.amount,
        total=found.total,
        voided=found.voided_at is not None,
        changed_at=found.voided_at or found.issued_at,
    )


async def _page(service: Any, page: StripePage) -> tuple[list[dict[str, Any]], bool]:
    """Return a page of objects, newest first, and whether more follow."""
    params: dict[str, Any] = {"limit": _PAGE}
    if page.customers:
        params["customer"] = page.customers[0]
    if page.stripe_invoice_id:
        params["invoice"] = page.stripe_invoice_id
    created: dict[str, int] = {}
    if page.created_from is not None:
        created["gte"] = int(page.created_from.timestamp())
    try:
        after = {"starting_after": page.after} if page.after else {}
        found = await service.list_async({**params, **({"created": created} if created else {}), **after})
    except stripe.InvalidRequestError as error:
        if page.after is None or page.after_created is None or error.param != "starting_after":
            raise
        # The draft that ended the last page was deleted since: list its second again; staging again is idempotent.
        created["lte"] = int(page.after_created.timestamp())
        found = await service.list_async({**params, "created": created})
    return [as_dict(each) for each in found.data], found.has_more


def _next(page: StripePage, found: list[dict[str, Any]], more: bool) -> StripePage | None:
    if more and found:
        created: datetime | None = instant(found[-1]["created"])
        return page.model_copy(update={"after": found[-1]["id"], "after_created": created})
    if page.customers and page.customers[1:]:
        return page.model_copy(update={"customers": page.customers[1:], "after": None, "after_created": None})
    return None


async def _bounded(work: list[Any]) -> list[Any]:
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Any) -> Any:
        async with few:
            return await each

    return list(await asyncio.gather(*map(one, work)))
