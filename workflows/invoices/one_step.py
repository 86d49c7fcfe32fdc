"""The common way of an invoice: one Stripe step, Stripe's event, and settling by Stripe's answer. See docs/adr/0025."""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.invoice.states import Inbox
    from contracts import search_attributes
    from contracts.messages.invoices import (
        InvoiceBrief,
        InvoiceRef,
        StripeInvoiceCreated,
        StripeInvoiceOrder,
    )
    from contracts.messages.one_step.billed import BillResult, SettleBilled, StripeInvoiceBilled
    from contracts.names import Activities
    from reconciliation import states
    from workflows.invoices import steps
    from workflows.invoices.details import what
    from workflows.steps import STEP_FAILED, local_step, show, stripe_step_until


async def bill(ref: InvoiceRef, invoice: InvoiceBrief, decided: Callable[[], bool]) -> BillResult:
    """Create and finalize the invoice in Stripe. What is unusual, the separate steps handle.

    A decision that a person makes before the customer is charged is unusual, and stops it.
    """
    order = invoice.order
    if order is None:
        show(f"Publishing the usage report: {what(invoice)}.")
        order = await local_step(Activities.PUBLISH_REPORT, ref, StripeInvoiceOrder, "Publish the usage report")
    show(f"Creating and finalizing the Stripe invoice: {what(invoice)}.")
    summary = f"Create and finalize the Stripe invoice: {what(invoice)}"
    result = None
    if not (order.pauses or decided()):  # which Postgres did not have yet when it was loaded
        result = await stripe_step_until(decided, Activities.BILL_STRIPE_INVOICE, order, BillResult, summary)
    result = result or BillResult(unusual="something was decided meanwhile")
    if result.billed is None:
        workflow.logger.info("invoice %s is billed by separate steps: %s", ref.invoice_key, result.unusual)
    return result


def naming(invoice: InvoiceBrief, made: StripeInvoiceCreated | None) -> InvoiceBrief:
    """Return the invoice with the ids of what Stripe has of it, which are recorded if it is blocked."""
    if made is None:
        return invoice
    ids = {"stripe_invoice_id": made.stripe_invoice_id, "stripe_customer_id": made.stripe_customer_id}
    return invoice.model_copy(update=ids)


async def refreshed(named: InvoiceBrief, billed: StripeInvoiceBilled) -> StripeInvoiceBilled:
    """Return what was billed, with the invoice as Stripe has it now. `named`: with Stripe's ids."""
    show(f"Asking Stripe about {named.stripe_invoice_id}.")
    return billed.model_copy(update={"snapshot": await steps.retrieve(named)})


async def settle(billed: StripeInvoiceBilled) -> InvoiceBrief:
    """Record the Stripe invoice, compare the books with it, adopt its state."""
    named, status = billed.created.stripe_invoice_id, billed.snapshot.status
    show(f"Comparing report, claims and lines with {named} in Stripe.")
    summary = f"Compare the books with {named}, adopt Stripe's state {status!r}"
    marks = [search_attributes.STRIPE_INVOICE_ID.value_set(named)]
    try:
        invoice = await steps.settled(Activities.SETTLE_BILLED, SettleBilled(billed=billed), summary)
    except STEP_FAILED:
        workflow.upsert_search_attributes(marks)
        raise
    workflow.upsert_search_attributes([*marks, search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
    return invoice


def heard_enough(billed: StripeInvoiceBilled, inbox: Callable[[], Inbox]) -> bool:
    """Return whether Stripe has sent the events of all that its answer holds, or something that its answer lacks.

    An event that comes while the books are compared would have all of that repeated.
    """
    heard = inbox()
    return states.awaited(billed.snapshot) <= set(heard.events) or not covers(billed, heard)


def covers(billed: StripeInvoiceBilled, inbox: Inbox) -> bool:
    """Return whether Stripe's answer holds all that the workflow has received, so that nothing is fetched again."""
    return not inbox.retry and states.covers(billed.snapshot, inbox.events)
