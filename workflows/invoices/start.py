"""Starts an invoice's workflow as a child that outlives its parent, under its own id."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributePair as Pair
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from billing.invoice.key import InvoiceKey
    from contracts import search_attributes, workflow_ids
    from contracts.messages.invoices import InvoiceRef, InvoiceResult, StripeEvent
    from contracts.names import BILLING_QUEUE, Signals, Workflows


async def wake_invoice(key: str, event: StripeEvent | None) -> bool:
    """Have the invoice's workflow refresh it, starting the workflow if it rests.

    Without an event, a running workflow is left alone.

    Returns False if the workflow has just completed, so that it did not learn of the event.
    """
    try:
        await start_invoice(key, refresh=True)
    except WorkflowAlreadyStartedError:
        if event is None:
            return True
        try:
            await workflow.get_external_workflow_handle(workflow_ids.invoice(key)).signal(Signals.STRIPE_EVENT, event)
        except FailureError:
            return False
    return True


async def start_invoice(
    key: str, *, refresh: bool = False, state: str | None = None
) -> workflow.ChildWorkflowHandle[Any, InvoiceResult]:
    """Start the invoice's workflow.

    Args:
        key: The invoice's key.
        refresh: Fetch the Stripe invoice first.
        state: The invoice's current state, as the first value of its search attribute.

    Raises:
        WorkflowAlreadyStartedError: The workflow is already running.
    """
    named = InvoiceKey.parse(key)
    pairs: list[Pair[Any]] = [
        Pair(search_attributes.ATTRIBUTION_ID, named.attribution_id),
        Pair(search_attributes.BILLING_PERIOD, named.period),
    ]
    if state is not None:
        pairs.append(Pair(search_attributes.INVOICE_STATE, state))
    return await workflow.start_child_workflow(
        Workflows.INVOICE,
        InvoiceRef(invoice_key=key, look=refresh),
        id=workflow_ids.invoice(key),
        task_queue=BILLING_QUEUE,
        result_type=InvoiceResult,
        parent_close_policy=ParentClosePolicy.ABANDON,
        static_summary=f"Invoice of {named.attribution_id} for {named.period}",
        static_details=f"`perdure invoices show '{key}'` shows its lines and state.",
        search_attributes=TypedSearchAttributes(pairs),
    )
