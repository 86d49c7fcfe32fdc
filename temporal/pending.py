"""The steps that running workflows await: which of them keep failing, and why, and which no worker takes.

Temporal's server knows them as pending activities. A step on Postgres for one invoice is a local activity, which the
server does not see; its worker reports it to the workflow (`activities/failures.py`), and `reported_failures` asks.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition
from temporalio.exceptions import ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut
from temporalio.service import RPCError, RPCStatusCode

from billing.text import one_line
from contracts import retries
from contracts.messages.holds import StepFailed, StepFailures
from contracts.names import BILLING_QUEUE, Queries

MOST_ASKED_ABOUT = 200
"""How many workflows `failing_steps` asks about: their number, and so the answer's time, has a bound."""
_AT_ONCE = 16
_TAKEN_WITHIN = timedelta(seconds=5)
"""A worker that polls takes a step at once; a busy one within seconds."""
_HEARD_WITHIN = 2 * retries.HEARTBEATS_SENT
_HISTORY_PAGE = 200
_ANSWERED_WITHIN = timedelta(seconds=3)
_UNANSWERED = (
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.FAILED_PRECONDITION,
)


class StepState(StrEnum):
    """What a step that a workflow awaits is doing."""

    RUNS = "runs"
    FAILS = "fails"
    """At least its last attempt has failed; it waits for the next one, or runs again."""
    LOST = "lost"
    """The worker that ran it has ended or no longer answers; another one gets it after `retries.HEARTBEAT`."""
    NOT_TAKEN = "not_taken"
    """No worker has taken it: none polls its queue, or all are busy."""
    PAUSED = "paused"
    """A person has paused it, in Temporal."""


@dataclass(frozen=True)
class PendingStep:
    """A step that a running workflow awaits.

    `activity` is its registered name, or None for a workflow task: the workflow itself waits for a worker. `attempt`
    counts from 1. `failure` is why the last attempt failed, in one line, and `failure_kind` the error's type. `since`
    is when the workflow asked for the step. `next_attempt_at` is None while an attempt runs. `worker` is the identity,
    `<pid>@<host>`, of the worker that ran the last attempt.
    """

    workflow_id: str
    workflow_type: str
    activity: str | None
    queue: str
    state: StepState
    attempt: int
    since: datetime
    failure: str | None = None
    failure_kind: str | None = None
    next_attempt_at: datetime | None = None
    worker: str | None = None


@dataclass(frozen=True)
class FailingSteps:
    """Steps that do not get on, oldest first. `asked_about` of the `running` workflows were asked about."""

    steps: list[PendingStep]
    asked_about: int
    running: int


async def failing_steps(client: Client, *, period: str | None = None, most: int = MOST_ASKED_ABOUT) -> FailingSteps:
    """Return the steps of running workflows that fail, are lost or paused, or that no worker takes.

    Workflows of blocked invoices wait for a person, so they are left out.

    Args:
        client: Temporal.
        period: only workflows of this period, `2022-05`; all if None.
        most: how many workflows to ask about at most, newest first.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    query = "ExecutionStatus = 'Running' AND (InvoiceState IS NULL OR InvoiceState != 'blocked')"
    if period is not None:
        query += f" AND BillingPeriod = '{period}'"
    ids = [found.id async for found in client.list_workflows(query, limit=most, page_size=most)]
    running = (await client.count_workflows(query)).count if len(ids) == most else len(ids)
    steps = [step for step in await pending_steps(client, ids) if step.state is not StepState.RUNS]
    return FailingSteps(steps, len(ids), running)


async def pending_steps(client: Client, workflow_ids: Iterable[str]) -> list[PendingStep]:
    """Return the steps that these workflows await, oldest first; a workflow that does not run awaits none.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(workflow_id: str) -> list[PendingStep]:
        async with few:
            return await _steps_of(client, workflow_id)

    found = await asyncio.gather(*(one(workflow_id) for workflow_id in workflow_ids))
    return sorted((step for steps in found for step in steps), key=lambda step: (step.since, step.workflow_id))


async def reported_failures(client: Client, workflow_ids: Iterable[str]) -> list[tuple[str, StepFailed]]:
    """Return the failures that these workflows learned of, each with its workflow's id, oldest first.

    Those of local activities are among them. It asks the worker of the workflows: a workflow that has ended, or whose
    worker does not answer within seconds, has none.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    found = await asyncio.gather(*(_reported(client, workflow_id) for workflow_id in workflow_ids))
    return sorted((failed for each in found for failed in each), key=lambda failed: failed[1].since)


async def _reported(client: Client, workflow_id: str) -> list[tuple[str, StepFailed]]:
    handle = client.get_workflow_handle(workflow_id)
    try:
        answer: StepFailures = await handle.query(
            Queries.FAILURES,
            result_type=StepFailures,
            reject_condition=QueryRejectCondition.NOT_OPEN,
            rpc_timeout=_ANSWERED_WITHIN,
        )
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return []
    except RPCError as error:
        if error.status in _UNANSWERED:
            return []
        raise
    return [(workflow_id, failed) for failed in answer.failing]


async def _steps_of(client: Client, workflow_id: str) -> list[PendingStep]:
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return []
        raise
    if described.status is not WorkflowExecutionStatus.RUNNING:
        return []
    activities: Sequence[PendingActivityInfo] = described.raw_description.pending_activities
    steps = [await _step(client, described, pending) for pending in activities]
    task = described.raw_description.pending_workflow_task
    if described.raw_description.HasField("pending_workflow_task"):
        since = _instant(task.original_scheduled_time) or _instant(task.scheduled_time) or datetime.now(UTC)
        started = task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
        late = not started and datetime.now(UTC) - since > _TAKEN_WITHIN
        state = StepState.NOT_TAKEN if late else StepState.RUNS
        queue = described.task_queue or BILLING_QUEUE
        steps.append(PendingStep(workflow_id, described.workflow_type, None, queue, state, task.attempt, since))
    return steps


async def _step(client: Client, described: WorkflowExecutionDescription, pending: PendingActivityInfo) -> PendingStep:
    failure = kind = None
    if pending.HasField("last_failure"):
        failure, kind = await _failure(client, pending.last_failure)
    scheduled = _instant(pending.scheduled_time) or described.start_time
    return PendingStep(
        workflow_id=described.id,
        workflow_type=described.workflow_type,
        activity=pending.activity_type.name,
        queue=pending.activity_options.task_queue.name or described.task_queue,
        state=_state(pending),
        attempt=pending.attempt,
        since=await _asked_at(client, described, pending.activity_id) or scheduled if failure else scheduled,
        failure=failure,
        failure_kind=kind,
        next_attempt_at=_instant(pending.next_attempt_schedule_time),
        worker=pending.last_worker_identity or None,
    )


def _state(pending: PendingActivityInfo) -> StepState:
    if pending.paused or pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED:
        return StepState.PAUSED
    now = datetime.now(UTC)
    if pending.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
        heard = _instant(pending.last_heartbeat_time) if pending.HasField("last_heartbeat_time") else None
        last = max(at for at in (heard, _instant(pending.last_started_time), _EPOCH) if at is not None)
        beats = pending.activity_options.heartbeat_timeout.ToTimedelta() > timedelta()
        if _has_ended(pending.last_worker_identity) or (beats and now - last > _HEARD_WITHIN):
            return StepState.LOST
        return StepState.FAILS if pending.HasField("last_failure") else StepState.RUNS
    due = _instant(pending.next_attempt_schedule_time) or _instant(pending.scheduled_time) or now
    if now - due > _TAKEN_WITHIN:
        return StepState.NOT_TAKEN
    return StepState.FAILS if pending.HasField("last_failure") else StepState.RUNS


def _has_ended(worker: str) -> bool:
    """Return whether a worker, `<pid>@<host>`, ran on this machine and has ended. Others have heartbeats alone."""
    pid, _, host = worker.partition("@")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it runs as another user
    return False


async def _failure(client: Client, failure: Failure) -> tuple[str, str | None]:
    """Return a failure in one line, and its type. Of a long one the server keeps the beginning, as a cause."""
    if failure.HasField("server_failure_info") and failure.HasField("cause"):
        failure = failure.cause
    error = await client.data_converter.decode_failure(failure)
    if isinstance(error, TimedOut):
        if error.type is TimeoutType.HEARTBEAT:
            return "its worker no longer answered", "HeartbeatTimeout"
        return "it did not end in time", "Timeout"
    kind = error.type if isinstance(error, ApplicationError) else type(error).__name__
    return one_line(getattr(error, "message", None) or str(error)) or kind or "unknown", kind


async def _asked_at(client: Client, described: WorkflowExecutionDescription, activity_id: str) -> datetime | None:
    """Return when a workflow asked for a step: of a retried one, the server says only when its attempt was due."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=described.id, run_id=described.run_id),
        maximum_page_size=_HISTORY_PAGE,
    )
    try:
        page = await client.workflow_service.get_workflow_execution_history_reverse(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None  # it has just been deleted
        raise
    for event in page.history.events:
        scheduled = event.activity_task_scheduled_event_attributes
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED and scheduled.activity_id == activity_id:
            return _instant(event.event_time)
    return None


_EPOCH = datetime.fromtimestamp(0, UTC)


def _instant(at: Timestamp) -> datetime | None:
    return at.ToDatetime(UTC) if at.seconds else None
