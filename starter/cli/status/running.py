"""What Temporal says: who serves the queues, schedules, steps that do not get on, and periods that a source holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from contracts import workflow_ids
from contracts.names import Workflows
from starter.cli.period.fetching import describe, fetch_state
from starter.cli.steps.asking import failing_anywhere
from starter.cli.steps.queues import tasks
from starter.cli.steps.words import StepGroup, sentence
from storage.waiting.kinds import WaitingKind
from storage.waiting.waiting import WaitingThing
from temporal.client import TemporalUnavailableError, connect
from temporal.pollers import QueueState, queue_states
from temporal.schedules import ScheduleState, list_schedules

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 1.5
_MOST_PERIODS = 20
_PERIOD = "billing-period/"


@dataclass(frozen=True)
class RunningState:
    """What Temporal says. `steps_checked`: whether all workflows that run could be asked about their steps in time."""

    queues: list[QueueState]
    schedules: list[ScheduleState]
    waiting: list[WaitingThing]
    steps_checked: bool


async def running_state() -> RunningState:
    """Ask Temporal.

    Raises:
        TemporalUnavailableError: it cannot be reached within seconds.
        RPCError: it refuses a question.
    """
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            client = await connect()
            queues, schedules, steps, held = await asyncio.gather(
                queue_states(client), _schedules(client), _steps(client), _held_by_sources(client)
            )
    except TimeoutError:
        raise TemporalUnavailableError("Temporal does not answer") from None
    now = datetime.now(UTC)
    waiting = [*_of_schedules(schedules, now), *of_steps(steps or [], now), *held]
    return RunningState(queues, schedules, waiting, steps is not None)


def queues_without_worker(queues: Sequence[QueueState], *, has_sources: bool) -> Iterator[WaitingThing]:
    """Yield the queues that need a worker and have none; that of sources needs one only if there are sources."""
    now = datetime.now(UTC)
    for state in queues:
        if state.lacks_worker(has_sources=has_sources):
            since = state.seen_at or now - state.oldest_task
            yield thing(
                WaitingKind.NO_WORKER, state.queue, since, f"no worker polls the queue `{state.queue}`{tasks(state)}"
            )


def thing(
    kind: WaitingKind, subject: str, since: datetime, reason: str, *, period: str | None = None, things: int = 1
) -> WaitingThing:
    """Return something that waits in Temporal."""
    return WaitingThing(kind, subject, None, period, None, None, since, reason, {}, things)


async def _schedules(client: Client) -> list[ScheduleState]:
    return [state async for state in list_schedules(client)]


async def _steps(client: Client) -> list[StepGroup] | None:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await failing_anywhere(client)
    except TimeoutError:
        return None


def _of_schedules(schedules: Sequence[ScheduleState], now: datetime) -> Iterator[WaitingThing]:
    """Yield the paused schedules, and those that are missing although others exist."""
    for state in schedules:
        if state.paused:
            note = f": {state.remark}" if state.remark else ""
            yield thing(WaitingKind.SCHEDULE_PAUSED, state.id, state.paused_at or now, f"it is paused{note}")
    known = {state.id for state in schedules}
    for name in workflow_ids.SCHEDULES if known else ():
        if name not in known:
            yield thing(WaitingKind.SCHEDULE_MISSING, name, now, "it does not exist, although others do")


def of_steps(groups: Iterable[StepGroup], now: datetime) -> Iterator[WaitingThing]:
    """Yield the reasons why steps do not get on."""
    for group in groups:
        if group.stands_still:
            reason = sentence(group, now, with_since=False)
            yield thing(group.waits_as, group.example, group.since, reason, things=group.workflows)


async def _held_by_sources(client: Client) -> list[WaitingThing]:
    """Return the periods whose run a source holds; none if no worker answers in time."""
    query = f"WorkflowType = '{Workflows.BILLING_PERIOD}' AND ExecutionStatus = 'Running'"
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            found = [each async for each in client.list_workflows(query, limit=_MOST_PERIODS)]
            states = await asyncio.gather(*(fetch_state(client.get_workflow_handle(each.id)) for each in found))
    except TimeoutError:
        return []
    return [
        thing(
            WaitingKind.SOURCE_HOLDS_PERIOD,
            source.name,
            each.start_time,
            f"its run waits for a source: {describe(source)}",
            period=each.id.removeprefix(_PERIOD).partition("/")[0],
        )
        for each, state in zip(found, states, strict=True)
        for source in (state.sources if state else ())
        if state and source.name in state.held
    ]
