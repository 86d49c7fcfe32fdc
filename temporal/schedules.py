"""The Temporal Schedules.

The monthly schedule fires, in UTC, some hours after every period's end, and makes up for missed months. The others are
the catch-up with Stripe's events, every few minutes, and the daily audit.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from temporalio.api.enums.v1 import ScheduleOverlapPolicy as OverlapPolicy
from temporalio.api.schedule.v1 import BackfillRequest, SchedulePatch
from temporalio.api.workflowservice.v1 import PatchScheduleRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from billing.errors import InputError
from contracts import workflow_ids
from contracts.messages.audit import AuditInput
from contracts.messages.events import CatchUpInput
from contracts.messages.periods import ScheduledPeriodInput
from contracts.names import BILLING_QUEUE, Workflows

logger = logging.getLogger("perdure.schedules")

_CATCH_UP = timedelta(days=400)
_AUDIT_HOUR = 3
_PAUSED_AT = "paused by perdure at "
_YEARS = range(2024, 2038)  # the years for which the rules of all zones are known
_LAST_DAY_OF_EVERY_MONTH = 28


@dataclass(frozen=True)
class ScheduleState:
    """The state of a schedule; instants in UTC."""

    id: str
    paused: bool
    note: str
    next_runs: list[datetime]
    recent_runs: list[tuple[datetime, str]]
    running: list[str]

    @property
    def paused_at(self) -> datetime | None:
        """When Perdure paused it; None if it is not paused, or was paused elsewhere."""
        if not self.paused or not self.note.startswith(_PAUSED_AT):
            return None
        return datetime.fromisoformat(self.note.removeprefix(_PAUSED_AT).split(": ")[0])

    @property
    def remark(self) -> str:
        """The note as the person wrote it, without the instant of the pause."""
        return self.note.partition(": ")[2] if self.note.startswith(_PAUSED_AT) else self.note


def fires_at(zone: ZoneInfo, delay: timedelta) -> tuple[int, int]:
    """Return the day of the month and the hour, in UTC, by which every month of `zone` has ended at least `delay` ago.

    A local-time rule would fire twice or never where clocks change, so the zone's latest month end is converted to
    UTC once. West of Greenwich a month ends on the first of the next month in UTC.

    Raises:
        InputError: the delay is negative, or so long that the day does not exist in every month.
    """
    firsts = (datetime(year, month, 1, tzinfo=zone) for year in _YEARS for month in range(1, 13))
    latest_end = max(timedelta(), *(-(first.utcoffset() or timedelta()) for first in firsts))
    hours = -(-(latest_end + delay) // timedelta(hours=1))
    day = 1 + hours // 24
    if delay < timedelta() or day > _LAST_DAY_OF_EVERY_MONTH:
        raise InputError(f"a delay of {delay} is not possible: use a delay from 0 hours to 26 days")
    return day, hours % 24


async def set_schedule(client: Client, time_zone: str, delay: timedelta) -> ScheduleState:
    """Create or update the monthly schedule; a paused schedule stays paused.

    Raises:
        InputError: the delay is not possible.
    """
    day, hour = fires_at(ZoneInfo(time_zone), delay)
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            Workflows.SCHEDULED_PERIOD,
            ScheduledPeriodInput(time_zone=time_zone),
            id="billing-period/scheduled",
            task_queue=BILLING_QUEUE,
            static_summary="Starts the billing period that has ended",
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    day_of_month=[ScheduleRange(day)],
                    hour=[ScheduleRange(hour)],
                    comment=f"at least {delay} after the end of a month in {time_zone}",
                )
            ]
        ),
        # The default, SKIP, would drop a month while another one is starting.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL, catchup_window=_CATCH_UP),
    )
    await _put(client, workflow_ids.MONTHLY_SCHEDULE, schedule)
    return await schedule_state(client)


async def set_catch_up_schedule(client: Client, every: timedelta) -> ScheduleState:
    """Create or update the schedule of the catch-up with Stripe's events, with this interval."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            Workflows.EVENTS_CATCH_UP,
            CatchUpInput(),
            id=workflow_ids.EVENTS_CATCH_UP,
            task_queue=BILLING_QUEUE,
            static_summary="Reads Stripe's events that the webhook may have missed",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        # A run reads everything after the cursor, so the next run makes up for a skipped one.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )
    await _put(client, workflow_ids.CATCH_UP_SCHEDULE, schedule)
    return await schedule_state(client, workflow_ids.CATCH_UP_SCHEDULE)


async def set_audit_schedule(client: Client, hour: int = _AUDIT_HOUR) -> ScheduleState:
    """Create or update the schedule of the daily audit of everything, at this hour in UTC."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            Workflows.AUDIT,
            AuditInput(),
            id=workflow_ids.SCHEDULED_AUDIT,
            task_queue=BILLING_QUEUE,
            static_summary="Compares Postgres, reports and Stripe",
            static_details="It fails if anything differs: `perdure audit --last` lists the findings and what to do.",
        ),
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(hour)], comment="every day")]),
        # Every audit covers everything, so a missed one is not made up for.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=1)),
    )
    await _put(client, workflow_ids.AUDIT_SCHEDULE, schedule)
    return await schedule_state(client, workflow_ids.AUDIT_SCHEDULE)


async def _put(client: Client, name: str, schedule: Schedule) -> None:
    """Create or update the schedule; a paused schedule stays paused."""
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:

        def update(found: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule.state = found.description.schedule.state
            return ScheduleUpdate(schedule)

        await client.get_schedule_handle(name).update(update)


async def schedule_state(client: Client, name: str = workflow_ids.MONTHLY_SCHEDULE) -> ScheduleState:
    """Return the state of a schedule, by default the monthly one.

    Raises:
        InputError: the schedule does not exist.
    """
    return _state(await _describe(client, name))


async def list_schedules(client: Client) -> AsyncIterator[ScheduleState]:
    """Yield the existing schedules of Perdure, the monthly one first; none exist before `perdure schedule set`."""
    for name in workflow_ids.SCHEDULES:
        try:
            yield await schedule_state(client, name)
        except InputError:
            continue


async def pause_schedule(client: Client, note: str, name: str = workflow_ids.MONTHLY_SCHEDULE) -> ScheduleState:
    """Pause a schedule. Idempotent. The note keeps the instant from which `resume_schedule` catches up."""
    if not (await schedule_state(client, name)).paused:
        handle = client.get_schedule_handle(name)
        await handle.pause(note=f"{_PAUSED_AT}{datetime.now(UTC).isoformat()}" + (f": {note}" if note else ""))
    return await schedule_state(client, name)


async def resume_schedule(client: Client, name: str = workflow_ids.MONTHLY_SCHEDULE) -> ScheduleState:
    """Resume a schedule. The monthly one also runs the months that it missed, which Temporal does not do by itself.

    The others need not make up for anything: a catch-up continues from its cursor, and an audit covers everything.
    """
    state = await schedule_state(client, name)
    if name != workflow_ids.MONTHLY_SCHEDULE:
        await client.get_schedule_handle(name).unpause(note="resumed by perdure")
        return await schedule_state(client, name)
    # One request for both: of two simultaneous requests the server keeps the later, which would lose months.
    patch = SchedulePatch(unpause="resumed by perdure")
    if state.paused and (paused_at := _paused_at(state)) is not None:
        backfill = BackfillRequest(overlap_policy=OverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL)
        backfill.start_time.FromDatetime(paused_at)
        backfill.end_time.FromDatetime(datetime.now(UTC))
        patch.backfill_request.append(backfill)
    await client.workflow_service.patch_schedule(
        PatchScheduleRequest(
            namespace=client.namespace,
            schedule_id=workflow_ids.MONTHLY_SCHEDULE,
            patch=patch,
            identity=client.identity,
            request_id=str(uuid4()),
        )
    )
    return await schedule_state(client)


async def trigger_schedule(client: Client, name: str = workflow_ids.MONTHLY_SCHEDULE) -> ScheduleState:
    """Run a schedule now. The monthly one bills the period that ended last."""
    await schedule_state(client, name)
    monthly = name == workflow_ids.MONTHLY_SCHEDULE
    overlap = ScheduleOverlapPolicy.BUFFER_ALL if monthly else ScheduleOverlapPolicy.SKIP
    await client.get_schedule_handle(name).trigger(overlap=overlap)
    return await schedule_state(client, name)


def _paused_at(state: ScheduleState) -> datetime | None:
    if state.paused_at is None:
        logger.warning("the schedule was paused elsewhere: run the months that it missed with `perdure period run`")
    return state.paused_at


async def _describe(client: Client, name: str) -> ScheduleDescription:
    try:
        return await client.get_schedule_handle(name).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise InputError("there is no schedule yet: `perdure schedule set` creates it") from error
        raise


def _state(found: ScheduleDescription) -> ScheduleState:
    info = found.info
    return ScheduleState(
        id=found.id,
        paused=found.schedule.state.paused,
        note=found.schedule.state.note or "",
        next_runs=list(info.next_action_times),
        recent_runs=[
            (result.scheduled_at, getattr(result.action, "workflow_id", "")) for result in info.recent_actions
        ],
        running=[getattr(action, "workflow_id", "") for action in info.running_actions],
    )
