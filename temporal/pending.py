"""The steps that running workflows await: which of them keep failing, and why, and which no worker takes.

Temporal's server knows them as pending activities. A step on Postgres for one invoice is a local activity, which the
server does not see; its worker reports it to the workflow (`activities/failures.py`), and `temporal/reported.py` asks.
Who serves the queues, and which workers have ended, `temporal/pollers.py` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
)
from temporalio.exceptions import ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut
from temporalio.service import RPCError, RPCStatusCode

from billing.text import one_line
from contracts import retries
from contracts.names import BILLING_QUEUE, Workflows
from temporal.pollers import QueueState, queue_states

MOST_ASKED_ABOUT = 200
"""How many workflows `failing_steps` asks about: their number, and so the answer's time, has a bound."""
_AT_ONCE = 16
_TAKEN_WITHIN = timedelta(seconds=5)
"""A worker that polls takes a step at once; a busy one within seconds."""
_HEARD_WITHIN = 2 * retries.HEARTBEATS_SENT
_HISTORY_PAGE = 200


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
    `<pid>@<host>`, of the worker that ran the last attempt. `polled`: of a step that is not taken, whether a worker
    polls its queue.
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
    polled: bool | None = None


@dataclass(frozen=True)
class FailingSteps:
    """Steps that do not get on, oldest first. `asked_about` of the `running` workflows were asked about.

    `silent_invoices`: the workflows of invoices among them without such a step, oldest first; `temporal/reported.py`
    may know of a step that the server does not see.
    """

    steps: list[PendingStep]
    asked_about: int
    running: int
    silent_invoices: list[str]


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
    types = {found.id: found.workflow_type async for found in client.list_workflows(query, limit=most, page_size=most)}
    ids = list(types)
    running = (await client.count_workflows(query)).count if len(ids) == most else len(ids)
    steps = [step for step in await pending_steps(client, ids) if step.state is not StepState.RUNS]
    known = {step.workflow_id for step in steps}
    silent = [each for each in reversed(ids) if types[each] == Workflows.INVOICE and each not in known]
    return FailingSteps(steps, len(ids), running, silent)


async def pending_steps(client: Client, workflow_ids: Iterable[str]) -> list[PendingStep]:
    """Return the steps that these workflows await, oldest first; a workflow that does not run awaits none.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    few = asyncio.Semaphore(_AT_ONCE)

    async def described(workflow_id: str) -> WorkflowExecutionDescription | None:
        async with few:
            return await _running(client, workflow_id)

    async def steps(each: WorkflowExecutionDescription) -> list[PendingStep]:
        async with few:
            return await _steps_of(client, each, states)

    found = [each for each in await asyncio.gather(*map(described, workflow_ids)) if each is not None]
    queues = sorted({queue for each in found for queue in _queues_to_ask(each)})
    states = {state.queue: state for state in await queue_states(client, queues)}
    of_each = await asyncio.gather(*map(steps, found))
    return sorted((step for some in of_each for step in some), key=lambda step: (step.since, step.workflow_id))


async def _running(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return described if described.status is WorkflowExecutionStatus.RUNNING else None


def _queues_to_ask(described: WorkflowExecutionDescription) -> Iterator[str]:
    """Yield the queues of steps that a worker has taken, which may have ended, and of those that none takes."""
    for pending in described.raw_description.pending_activities:
        if _is_taken(pending) or _is_late(pending):
            yield _queue(described, pending)
    if _waits_for_worker(described):
        yield _own_queue(described)


async def _steps_of(
    client: Client, described: WorkflowExecutionDescription, states: Mapping[str, QueueState]
) -> list[PendingStep]:
    activities: Sequence[PendingActivityInfo] = described.raw_description.pending_activities
    steps = [await _step(client, described, pending, states.get(_queue(described, pending))) for pending in activities]
    if described.raw_description.HasField("pending_workflow_task"):
        late, queue = _waits_for_worker(described), _own_queue(described)
        steps.append(
            PendingStep(
                workflow_id=described.id,
                workflow_type=described.workflow_type,
                activity=None,
                queue=queue,
                state=StepState.NOT_TAKEN if late else StepState.RUNS,
                attempt=described.raw_description.pending_workflow_task.attempt,
                since=_task_since(described),
                polled=bool(states[queue].polling) if late and queue in states else None,
            )
        )
    return steps


def _task_since(described: WorkflowExecutionDescription) -> datetime:
    task = described.raw_description.pending_workflow_task
    return _instant(task.original_scheduled_time) or _instant(task.scheduled_time) or datetime.now(UTC)


def _waits_for_worker(described: WorkflowExecutionDescription) -> bool:
    """Return whether the workflow itself waits for a worker for longer than a polling worker needs to take it."""
    if not described.raw_description.HasField("pending_workflow_task"):
        return False
    state = described.raw_description.pending_workflow_task.state
    started = state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
    return not started and datetime.now(UTC) - _task_since(described) > _TAKEN_WITHIN


def _own_queue(described: WorkflowExecutionDescription) -> str:
    return described.task_queue or BILLING_QUEUE


def _queue(described: WorkflowExecutionDescription, pending: PendingActivityInfo) -> str:
    return pending.activity_options.task_queue.name or _own_queue(described)


async def _step(
    client: Client, described: WorkflowExecutionDescription, pending: PendingActivityInfo, queue: QueueState | None
) -> PendingStep:
    failure = kind = None
    if pending.HasField("last_failure"):
        failure, kind = await _failure(client, pending.last_failure)
    scheduled = _instant(pending.scheduled_time) or described.start_time
    state = _state(pending, queue)
    return PendingStep(
        workflow_id=described.id,
        workflow_type=described.workflow_type,
        activity=pending.activity_type.name,
        queue=_queue(described, pending),
        state=state,
        attempt=pending.attempt,
        since=await _asked_at(client, described, pending.activity_id) or scheduled if failure else scheduled,
        failure=failure,
        failure_kind=kind,
        next_attempt_at=_instant(pending.next_attempt_schedule_time),
        worker=pending.last_worker_identity or None,
        polled=bool(queue.polling) if queue and state is StepState.NOT_TAKEN else None,
    )


def _state(pending: PendingActivityInfo, queue: QueueState | None) -> StepState:
    if pending.paused or pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED:
        return StepState.PAUSED
    if _is_taken(pending) and (_is_silent(pending) or (queue and queue.lost(pending.last_worker_identity))):
        return StepState.LOST
    if _is_late(pending):
        return StepState.NOT_TAKEN
    return StepState.FAILS if pending.HasField("last_failure") else StepState.RUNS


def _is_taken(pending: PendingActivityInfo) -> bool:
    return pending.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED


def _is_silent(pending: PendingActivityInfo) -> bool:
    """Return whether a step that sends heartbeats has missed them: its worker may live, and hang."""
    heard = _instant(pending.last_heartbeat_time) if pending.HasField("last_heartbeat_time") else None
    last = max(at for at in (heard, _instant(pending.last_started_time), _EPOCH) if at is not None)
    beats = pending.activity_options.heartbeat_timeout.ToTimedelta() > timedelta()
    return beats and datetime.now(UTC) - last > _HEARD_WITHIN


def _is_late(pending: PendingActivityInfo) -> bool:
    """Return whether no worker has taken a step for longer than a polling worker needs."""
    now = datetime.now(UTC)
    due = _instant(pending.next_attempt_schedule_time) or _instant(pending.scheduled_time) or now
    return not _is_taken(pending) and now - due > _TAKEN_WITHIN


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
