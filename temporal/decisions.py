"""A person's decisions on an invoice or a period, as Temporal updates that return once the decision is recorded."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import (
    Client,
    RPCError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCStatusCode

from billing.decided import HERE, DecidedFrom
from billing.errors import PerdureError, UnavailableError
from billing.invoice.key import InvoiceKey
from contracts import workflow_ids
from contracts.messages.base import Message
from contracts.messages.periods import ApprovePeriod, PeriodRef
from contracts.names import Updates
from temporal.start import update_invoice

_PATIENCE = timedelta(seconds=30)


class DecisionError(PerdureError):
    """The decision was refused, or no worker answered; the message says why."""


class UnansweredDecisionError(DecisionError, UnavailableError):
    """No worker answered. The decision may still be recorded."""


async def decide(client: Client, invoice_key: str, update: str, decision: Message) -> None:
    """Have an invoice's workflow record a decision, starting the workflow if it rests.

    Raises:
        DecisionError: the decision was refused, or no worker answers.
        RPCError: Temporal cannot be reached.
    """
    try:
        await update_invoice(client, InvoiceKey.parse(invoice_key), update, decision, _PATIENCE)
    except WorkflowUpdateFailedError as error:
        raise DecisionError(_why(error)) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise UnansweredDecisionError(_no_worker(update)) from error


async def approve_period(
    client: Client, period: str, totals: dict[str, int], by: str, reason: str = "", place: DecidedFrom = HERE
) -> None:
    """Approve a held period at these totals, in minor units by currency.

    Raises:
        DecisionError: the period does not wait, its totals have changed, or no worker answers.
        RPCError: Temporal cannot be reached.
    """
    await _approve(client, ApprovePeriod(period=period, totals=totals, by=by, reason=reason, place=place), None)


async def go_without_source(client: Client, period: str, attribution_id: str | None, source: str, by: str) -> None:
    """Have a period, or the run of one account, bill without a source that it waits for.

    Raises:
        DecisionError: the run does not wait for the source, or no worker answers.
        RPCError: Temporal cannot be reached.
    """
    approval = ApprovePeriod(period=period, totals={}, by=by, without_source=source)
    await _approve(client, approval, attribution_id)


async def _approve(client: Client, approval: ApprovePeriod, attribution_id: str | None) -> None:
    period = approval.period
    handle = client.get_workflow_handle(workflow_ids.billing_period(period, attribution_id))
    try:
        await handle.execute_update(Updates.APPROVE, approval, result_type=PeriodRef, rpc_timeout=_PATIENCE)
    except WorkflowUpdateFailedError as error:
        raise DecisionError(_why(error)) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise UnansweredDecisionError(_no_worker(Updates.APPROVE)) from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise DecisionError(f"no run of {period} is waiting: `perdure period run {period}` starts one") from error
        raise


def _why(error: WorkflowUpdateFailedError) -> str:
    return getattr(error.cause, "message", None) or str(error.cause)


def _no_worker(update: str) -> str:
    return f"no worker answers: start `perdure worker`, then {update} again"
