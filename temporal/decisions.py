"""A person's decisions: Temporal updates of an invoice's or a period's workflow, answered once they are recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCStatusCode

from billing.errors import PerdureError
from contracts import search_attributes, workflow_ids
from contracts.messages.base import Message
from contracts.messages.invoices import InvoiceRef
from contracts.messages.periods import ApprovePeriod, PeriodRef
from contracts.names import BILLING_QUEUE, Updates, Workflows

_PATIENCE = timedelta(seconds=30)


class DecisionError(PerdureError):
    """The decision was refused, or nobody could take it; the message says why."""


async def decide(client: Client, invoice_key: str, update: str, decision: Message) -> None:
    """Have an invoice's workflow take a decision, starting it when it rests.

    Raises:
        DecisionError: it was refused, or no worker answers.
        RPCError: Temporal cannot be reached.
    """
    period, attribution_id, *_ = invoice_key.split("/")
    start = WithStartWorkflowOperation[Any, Any](
        Workflows.INVOICE,
        InvoiceRef(invoice_key=invoice_key),
        id=workflow_ids.invoice(invoice_key),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Invoice of {attribution_id} for {period}: {update} by an operator",
        static_details=f"`perdure invoices show '{invoice_key}'` shows its lines and state.",
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(search_attributes.ATTRIBUTION_ID, attribution_id),
                SearchAttributePair(search_attributes.BILLING_PERIOD, period),
            ]
        ),
    )
    try:
        await client.execute_update_with_start_workflow(
            update, decision, start_workflow_operation=start, result_type=InvoiceRef, rpc_timeout=_PATIENCE
        )
    except WorkflowUpdateFailedError as error:
        raise DecisionError(_why(error)) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise DecisionError(_no_worker(update)) from error


async def approve_period(client: Client, period: str, totals: dict[str, int], by: str) -> None:
    """Let a period go that a brake holds, at these totals, in minor units by currency.

    Raises:
        DecisionError: it does not wait, its totals are others by now, or no worker answers.
        RPCError: Temporal cannot be reached.
    """
    handle = client.get_workflow_handle(workflow_ids.billing_period(period))
    approval = ApprovePeriod(period=period, totals=totals, by=by)
    try:
        await handle.execute_update(Updates.APPROVE, approval, result_type=PeriodRef, rpc_timeout=_PATIENCE)
    except WorkflowUpdateFailedError as error:
        raise DecisionError(_why(error)) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise DecisionError(_no_worker(Updates.APPROVE)) from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise DecisionError(f"no run of {period} waits: `perdure period run {period}` starts one") from error
        raise


def _why(error: WorkflowUpdateFailedError) -> str:
    return getattr(error.cause, "message", None) or str(error.cause)


def _no_worker(update: str) -> str:
    return f"no worker answers: start `perdure worker`, then {update} again"
