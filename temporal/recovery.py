"""Bringing back in Temporal what Postgres says is waiting; what runs already is only told to look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts import search_attributes, workflow_ids
from contracts.messages.base import Message
from contracts.messages.credit_notes import CreditNoteRef
from contracts.messages.invoices import InvoiceRef, StripeEvent
from contracts.messages.recovery import AdoptionInput, AdoptionOutcome
from contracts.messages.subscriptions import SubscriptionRef
from contracts.names import BILLING_QUEUE, Signals, Workflows

_AT_ONCE = 16


@dataclass(frozen=True)
class Lost:
    """A workflow that is to run. `looks`: it may be told that Stripe has news."""

    workflow: str
    workflow_id: str
    ref: Message
    state: str
    looks: bool
    attribution_id: str | None = None
    billing_period: str | None = None


def invoice(key: str, state: str, attribution_id: str, billing_period: str) -> Lost:
    """Of an open invoice."""
    ref = InvoiceRef(invoice_key=key, look=True)
    return Lost(Workflows.INVOICE, workflow_ids.invoice(key), ref, state, True, attribution_id, billing_period)


def credit_note(key: str, state: str, attribution_id: str, billing_period: str) -> Lost:
    """Of a credit note that Stripe does not have yet."""
    ref = CreditNoteRef(credit_note_key=key)
    return Lost(Workflows.CREDIT_NOTE, workflow_ids.credit_note(key), ref, state, False, attribution_id, billing_period)


def subscription(stripe_subscription_id: str) -> Lost:
    """Of a subscription that waits for a person."""
    ref = SubscriptionRef(stripe_subscription_id=stripe_subscription_id)
    return Lost(Workflows.SUBSCRIPTION, workflow_ids.subscription(stripe_subscription_id), ref, "blocked", True)


async def bring_back(client: Client, lost: Sequence[Lost]) -> AsyncIterator[tuple[Lost, bool]]:
    """Each with whether it was started now, in the order given; else it was running.

    Raises:
        RPCError: Temporal cannot be reached; what was started goes on.
    """
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Lost) -> bool:
        async with few:
            return await _start(client, each)

    tasks = [asyncio.create_task(one(each)) for each in lost]
    try:
        for each, task in zip(lost, tasks, strict=True):
            yield each, await task
    finally:
        for task in tasks:
            task.cancel()


async def _start(client: Client, lost: Lost) -> bool:
    pairs = []
    if lost.attribution_id is not None and lost.billing_period is not None:
        pairs = [
            SearchAttributePair(search_attributes.ATTRIBUTION_ID, lost.attribution_id),
            SearchAttributePair(search_attributes.BILLING_PERIOD, lost.billing_period),
        ]
    try:
        await client.start_workflow(
            lost.workflow,
            lost.ref,
            id=lost.workflow_id,
            task_queue=BILLING_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"{lost.workflow_id}, brought back by an operator",
            search_attributes=TypedSearchAttributes(pairs),
        )
    except WorkflowAlreadyStartedError:
        await _tell(client.get_workflow_handle(lost.workflow_id), lost)
        return False
    return True


async def _tell(running: WorkflowHandle[object, object], lost: Lost) -> None:
    if not lost.looks:
        return
    now = datetime.now(UTC)
    try:
        await running.signal(Signals.STRIPE_EVENT, StripeEvent(event_id="recover", type="recover", created=now))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise  # else it has just come to rest, so that it has looked


async def adopt_invoices(client: Client, since: datetime) -> AdoptionOutcome:
    """Take over from Stripe the invoices made since then that Postgres does not know.

    Raises:
        WorkflowFailureError: it failed for good.
        RPCError: Temporal cannot be reached.
    """
    handle = await client.start_workflow(
        Workflows.ADOPT_INVOICES,
        AdoptionInput(since=since),
        id=workflow_ids.ADOPT_INVOICES,
        task_queue=BILLING_QUEUE,
        result_type=AdoptionOutcome,
        # One that runs may look from another instant on.
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        static_summary="Takes over Stripe's invoices that Postgres does not know",
    )
    outcome: AdoptionOutcome = await handle.result()
    return outcome


async def missing_schedules(client: Client) -> list[str]:
    """The schedules that Temporal does not have."""
    missing = []
    for name in workflow_ids.SCHEDULES:
        try:
            await client.get_schedule_handle(name).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            missing.append(name)
    return missing
