"""Asks Temporal which steps do not get on, of all, of a period or of one workflow, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from contracts import workflow_ids
from contracts.messages.holds import StepFailed
from contracts.names import BILLING_QUEUE, Workflows
from starter.cli import output
from starter.cli.steps.words import StepGroup, grouped
from storage.periods.in_progress import invoices_in_progress
from storage.postgres.database import Database
from temporal.client import TemporalUnavailableError, connect
from temporal.pending import PendingStep, StepState, failing_steps, pending_steps
from temporal.reported import ANSWERED_WITHIN, reported_failures

_MOST_ANYWHERE = 100
_SOON = timedelta(seconds=0.7)
_MOST_OF_LOCAL = 20
"""Each is a question to the billing worker; the oldest invoices in progress tell what keeps all of them."""


async def failing_anywhere(client: Client) -> list[StepGroup]:
    """Return what keeps workflows of all periods from getting on. It answers within a second or so.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    found = await failing_steps(client, most=_MOST_ANYWHERE)
    return grouped([*found.steps, *await _reported(client, found.silent_invoices[:_MOST_OF_LOCAL], _SOON)])


async def failing_in(db: Database, client: Client, period: str) -> list[StepGroup]:
    """Return what keeps a period's workflows from getting on.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    found = (await failing_steps(client, period=period)).steps
    known = {step.workflow_id for step in found}
    slow = [workflow_ids.invoice(key) for key in await invoices_in_progress(db, period, _MOST_OF_LOCAL)]
    return grouped([*found, *await _reported(client, [each for each in slow if each not in known])])


async def failing_of(client: Client, *ids: str) -> list[StepGroup]:
    """Return what keeps these workflows from getting on.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    found = [step for step in await pending_steps(client, ids) if step.state is not StepState.RUNS]
    known = {step.workflow_id for step in found}
    return grouped([*found, *await _reported(client, [each for each in ids if each not in known])])


async def failing_or_nothing(*ids: str, db: Database | None = None, period: str | None = None) -> list[StepGroup]:
    """Return what keeps a period's workflows, or these, from getting on.

    Where Temporal cannot be asked, a line on stderr says so, and nothing is returned.
    """
    try:
        client = await connect()
        if db is not None and period is not None:
            return await failing_in(db, client, period)
        return await failing_of(client, *ids)
    except (TemporalUnavailableError, RPCError) as error:
        output.complain(f"perdure: Temporal was not asked which steps fail: {error}")
        return []


async def own_words(handle: WorkflowHandle[Any, Any]) -> str | None:
    """Return the first line of what a workflow shows of itself in Temporal. None if no worker answers."""
    try:
        metadata: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    except RPCError:
        return None
    return metadata.current_details.partition("\n")[0].replace("**", "") or None


async def _reported(client: Client, ids: Sequence[str], within: timedelta = ANSWERED_WITHIN) -> list[PendingStep]:
    return [_pending(workflow_id, failed) for workflow_id, failed in await reported_failures(client, ids, within)]


def _pending(workflow_id: str, failed: StepFailed) -> PendingStep:
    """Return a failure that only the workflow knows, of a local activity of the billing worker, as a pending step."""
    return PendingStep(
        workflow_id=workflow_id,
        workflow_type=Workflows.INVOICE,
        activity=failed.step,
        queue=BILLING_QUEUE,
        state=StepState.FAILS,
        attempt=failed.attempt + 1,
        since=failed.since,
        failure=failed.reason,
        next_attempt_at=failed.next_attempt_at,
    )
