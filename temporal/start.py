"""The one door to Temporal: how each workflow is started or woken from outside of workflows.

Every start gives the workflow's registered name, its id (`contracts/workflow_ids.py`), its queue, its search attributes
and what happens if a workflow of that id is already running. All raise RPCError if Temporal does not accept the
request. `temporal/schedules.py` starts workflows by schedule.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from temporalio.common import SearchAttributePair as Pair
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from billing.invoice.key import CreditNoteKey, InvoiceKey
from contracts import search_attributes, workflow_ids
from contracts.messages.audit import AuditInput, AuditResult
from contracts.messages.base import Message
from contracts.messages.credit_notes import CreditNoteRef
from contracts.messages.events import CatchUpInput, CatchUpResult, WakeUp
from contracts.messages.invoices import InvoiceRef
from contracts.messages.periods import PeriodInput, PeriodResult
from contracts.messages.recovery import AdoptionInput, AdoptionResult
from contracts.messages.sources import SourceInput, SourceRead, SyncSource
from contracts.messages.subscriptions import AccountsSyncInput, AccountsSyncResult, SubscriptionRef
from contracts.names import BILLING_QUEUE, Signals, Updates, Workflows


async def start_period(
    client: Client, period: str, attribution_id: str | None = None
) -> WorkflowHandle[Any, PeriodResult]:
    """Bill a period. A run that only waits for open invoices goes through the accounts once more."""
    whose = f" of {attribution_id}" if attribution_id else ""
    return await client.start_workflow(
        Workflows.BILLING_PERIOD,
        PeriodInput(period=period, attribution_id=attribution_id),
        id=workflow_ids.billing_period(period, attribution_id),
        task_queue=BILLING_QUEUE,
        result_type=PeriodResult,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=Signals.RUN_AGAIN,
        static_summary=f"Billing period {period}{whose}",
        static_details=f"`perdure period status {period}` shows its invoices, what is blocked and what is excluded.",
        search_attributes=_found_by(billing_period=period),
    )


async def start_audit(
    client: Client, period: str | None, attribution_id: str | None, stuck_after: timedelta | None
) -> WorkflowHandle[Any, AuditResult]:
    """Audit the books of a period, an account, both or everything, or join the running audit of the same scope."""
    return await client.start_workflow(
        Workflows.AUDIT,
        AuditInput(period=period, attribution_id=attribution_id, stuck_after=stuck_after),
        id=workflow_ids.audit(period, attribution_id),
        task_queue=BILLING_QUEUE,
        result_type=AuditResult,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="Compares Postgres, reports and Stripe",
        search_attributes=_found_by(attribution_id, period),
    )


async def start_catch_up(client: Client) -> WorkflowHandle[Any, CatchUpResult]:
    """Read Stripe's events after the cursor, or join the running catch-up."""
    return await client.start_workflow(
        Workflows.EVENTS_CATCH_UP,
        CatchUpInput(),
        id=workflow_ids.EVENTS_CATCH_UP,
        task_queue=BILLING_QUEUE,
        result_type=CatchUpResult,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="Reads Stripe's events that the webhook may have missed",
    )


async def start_accounts_sync(client: Client, bill_after: datetime) -> WorkflowHandle[Any, AccountsSyncResult]:
    """Read accounts and windows from Stripe; new accounts are charged from `bill_after` on.

    Raises:
        WorkflowAlreadyStartedError: a sync is already running, perhaps with another `bill_after`.
    """
    return await client.start_workflow(
        Workflows.ACCOUNTS_SYNC,
        AccountsSyncInput(bill_after=bill_after),
        id=workflow_ids.ACCOUNTS_SYNC,
        task_queue=BILLING_QUEUE,
        result_type=AccountsSyncResult,
        static_summary="Accounts from Stripe",
        static_details=f"New accounts are charged from {bill_after:%Y-%m-%d %H:%M:%S UTC} on.",
    )


async def start_adoption(client: Client, since: datetime) -> WorkflowHandle[Any, AdoptionResult]:
    """Adopt the invoices that Stripe has created since then. Ends a running adoption: it might start elsewhere."""
    return await client.start_workflow(
        Workflows.ADOPT_INVOICES,
        AdoptionInput(since=since),
        id=workflow_ids.ADOPT_INVOICES,
        task_queue=BILLING_QUEUE,
        result_type=AdoptionResult,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        static_summary="Adopts Stripe's invoices that Postgres does not know",
    )


async def start_credit_note(client: Client, key: CreditNoteKey, credited: str, signal: str | None = None) -> None:
    """Make a credit note in Stripe, or wake the workflow that does; `credited` is its amount in words.

    Args:
        signal: an operator's decision on a blocked credit note, `Signals.RETRY` or `Signals.WITHDRAW`.
    """
    invoice = key.invoice
    await client.start_workflow(
        Workflows.CREDIT_NOTE,
        CreditNoteRef(credit_note_key=str(key)),
        id=workflow_ids.credit_note(str(key)),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=signal,
        static_summary=f"Credit of {credited} for {invoice.attribution_id}",
        static_details=f"`perdure invoices show '{invoice}'` shows the invoice and its credit notes.",
        search_attributes=_found_by(invoice.attribution_id, invoice.period),
    )


async def retry_invoice(client: Client, key: InvoiceKey) -> None:
    """Signal an invoice's workflow that the cause of its block is gone, starting the workflow if it rests."""
    await client.start_workflow(
        Workflows.INVOICE,
        InvoiceRef(invoice_key=str(key)),
        id=workflow_ids.invoice(str(key)),
        task_queue=BILLING_QUEUE,
        start_signal=Signals.RETRY,
        static_summary=f"Invoice of {key.attribution_id} for {key.period}, retried by an operator",
        static_details=_lines_and_state(key),
        search_attributes=_found_by(key.attribution_id, key.period),
    )


async def retry_subscription(client: Client, stripe_subscription_id: str) -> None:
    """Signal a subscription's workflow that the cause of its block is gone, starting the workflow if it rests."""
    await client.start_workflow(
        Workflows.SUBSCRIPTION,
        SubscriptionRef(stripe_subscription_id=stripe_subscription_id),
        id=workflow_ids.subscription(stripe_subscription_id),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=Signals.RETRY,
        static_summary=f"Subscription {stripe_subscription_id}",
    )


async def update_invoice(client: Client, key: InvoiceKey, update: str, decision: Message, patience: timedelta) -> None:
    """Have an invoice's workflow record a decision, starting the workflow if it rests.

    Raises:
        WorkflowUpdateFailedError: the decision was refused.
        WorkflowUpdateRPCTimeoutOrCancelledError: no worker answered within `patience`.
    """
    start = WithStartWorkflowOperation[Any, Any](
        Workflows.INVOICE,
        InvoiceRef(invoice_key=str(key)),
        id=workflow_ids.invoice(str(key)),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Invoice of {key.attribution_id} for {key.period}: {update} by an operator",
        static_details=_lines_and_state(key),
        search_attributes=_found_by(key.attribution_id, key.period),
    )
    await client.execute_update_with_start_workflow(
        update, decision, start_workflow_operation=start, result_type=InvoiceRef, rpc_timeout=patience
    )


async def start_source(client: Client, source: SourceInput) -> None:
    """Begin to read a source again and again. Idempotent."""
    await client.start_workflow(
        Workflows.SOURCE_SYNC,
        source,
        id=workflow_ids.source(source.name),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_reads(source.name),
        static_details=_shows_source(source.name),
    )


async def update_source(
    client: Client, source: SourceInput, ask: SyncSource, update_id: str, patience: timedelta | None
) -> WorkflowUpdateHandle[SourceRead]:
    """Ask for a read of a source, starting its workflow if it does not run. The handle has the attempt's result.

    Args:
        update_id: the same id asks once, however often it is sent.
        patience: how long to wait for a worker that accepts; None for as long as it takes.

    Raises:
        WorkflowUpdateFailedError: the request was refused.
        WorkflowUpdateRPCTimeoutOrCancelledError: no worker accepted it within `patience`.
    """
    start = WithStartWorkflowOperation[Any, Any](
        Workflows.SOURCE_SYNC,
        source,
        id=workflow_ids.source(source.name),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_reads(source.name),
        static_details=_shows_source(source.name),
    )
    return await client.start_update_with_start_workflow(
        Updates.SYNC,
        ask,
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        start_workflow_operation=start,
        id=update_id,
        result_type=SourceRead,
        rpc_timeout=patience,
    )


async def deliver(client: Client, wake_up: WakeUp) -> None:
    """Signal a workflow that Stripe has an event for it, starting the workflow if it rests."""
    await client.start_workflow(
        wake_up.workflow,
        wake_up.input,
        id=wake_up.workflow_id,
        task_queue=BILLING_QUEUE,
        start_signal=Signals.STRIPE_EVENT,
        start_signal_args=[wake_up.event],
        search_attributes=_found_by(wake_up.attribution_id, wake_up.billing_period),
        static_summary=wake_up.summary,
    )


async def start_unless_running(
    client: Client,
    workflow: str,
    workflow_id: str,
    ref: Message,
    *,
    summary: str,
    attribution_id: str | None = None,
    billing_period: str | None = None,
) -> bool:
    """Start the workflow of unfinished work in Postgres. Returns False if a workflow of its id is running."""
    try:
        await client.start_workflow(
            workflow,
            ref,
            id=workflow_id,
            task_queue=BILLING_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=summary,
            search_attributes=_found_by(attribution_id, billing_period),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def _found_by(attribution_id: str | None = None, billing_period: str | None = None) -> TypedSearchAttributes:
    pairs = (
        (search_attributes.ATTRIBUTION_ID, attribution_id),
        (search_attributes.BILLING_PERIOD, billing_period),
    )
    return TypedSearchAttributes([Pair(key, value) for key, value in pairs if value])


def _reads(source: str) -> str:
    return f"Reads the source {source}"


def _shows_source(source: str) -> str:
    return f"`perdure sources list {source}` shows what was read and what was refused."


def _lines_and_state(key: InvoiceKey) -> str:
    return f"`perdure invoices show '{key}'` shows its lines and state."
