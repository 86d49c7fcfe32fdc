"""Recovery after a loss: restart the workflows of unfinished work in Postgres, and adopt invoices only Stripe has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts import workflow_ids
from contracts.messages.base import Message
from contracts.messages.credit_notes import CreditNoteRef
from contracts.messages.invoices import InvoiceRef, StripeEvent
from contracts.messages.recovery import AdoptionResult
from contracts.messages.subscriptions import SubscriptionRef
from contracts.names import Signals, Workflows
from temporal.start import start_adoption, start_unless_running

_AT_ONCE = 16


@dataclass(frozen=True)
class Lost:
    """A workflow that must run, according to Postgres. `state` is its subject's.

    `refreshes` says whether a running workflow accepts the signal to fetch its subject from Stripe again.
    """

    workflow: str
    workflow_id: str
    ref: Message
    state: str
    refreshes: bool
    attribution_id: str | None = None
    billing_period: str | None = None


def invoice(key: str, state: str, attribution_id: str, billing_period: str) -> Lost:
    """Return the workflow of an open invoice."""
    ref = InvoiceRef(invoice_key=key, look=True)
    return Lost(Workflows.INVOICE, workflow_ids.invoice(key), ref, state, True, attribution_id, billing_period)


def credit_note(key: str, state: str, attribution_id: str, billing_period: str) -> Lost:
    """Return the workflow of a credit note that Stripe does not have yet."""
    ref = CreditNoteRef(credit_note_key=key)
    return Lost(Workflows.CREDIT_NOTE, workflow_ids.credit_note(key), ref, state, False, attribution_id, billing_period)


def subscription(stripe_subscription_id: str) -> Lost:
    """Return the workflow of a subscription that waits for a person."""
    ref = SubscriptionRef(stripe_subscription_id=stripe_subscription_id)
    return Lost(Workflows.SUBSCRIPTION, workflow_ids.subscription(stripe_subscription_id), ref, "blocked", True)


async def restart(client: Client, lost: Sequence[Lost]) -> AsyncIterator[tuple[Lost, bool]]:
    """Start each workflow, or have it refresh if it runs; yield each, in order, with whether it was started.

    Raises:
        RPCError: Temporal cannot be reached; workflows already started continue.
    """
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Lost) -> bool:
        async with few:
            return await _start_or_refresh(client, each)

    tasks = [asyncio.create_task(one(each)) for each in lost]
    try:
        for each, task in zip(lost, tasks, strict=True):
            yield each, await task
    finally:
        for task in tasks:
            task.cancel()


async def _start_or_refresh(client: Client, lost: Lost) -> bool:
    started = await start_unless_running(
        client,
        lost.workflow,
        lost.workflow_id,
        lost.ref,
        summary=f"{lost.workflow_id}, restarted by an operator",
        attribution_id=lost.attribution_id,
        billing_period=lost.billing_period,
    )
    if not started and lost.refreshes:
        await _refresh(client, lost.workflow_id)
    return started


async def _refresh(client: Client, workflow_id: str) -> None:
    event = StripeEvent(event_id="recover", type="recover", created=datetime.now(UTC))
    try:
        await client.get_workflow_handle(workflow_id).signal(Signals.STRIPE_EVENT, event)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise  # NOT_FOUND: it has refreshed and completed in the meantime


async def adopt_invoices(client: Client, since: datetime) -> AdoptionResult:
    """Adopt the invoices that Stripe has created since `since` and Postgres does not know.

    Raises:
        WorkflowFailureError: the adoption failed permanently.
        RPCError: Temporal cannot be reached.
    """
    return await (await start_adoption(client, since)).result()


async def missing_schedules(client: Client) -> list[str]:
    """Return the ids of the schedules that Temporal does not have."""
    missing = []
    for name in workflow_ids.SCHEDULES:
        try:
            await client.get_schedule_handle(name).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            missing.append(name)
    return missing
