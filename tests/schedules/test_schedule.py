"""The monthly schedule on a real server: its settings, and the effect of a trigger, a pause and a resume."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from billing.errors import InputError
from billing.periods import BillingPeriod
from contracts import search_attributes
from contracts.names import BILLING_QUEUE, Signals, Workflows
from temporal import schedules
from temporal.schedules import fires_at, set_schedule
from tests.support.until import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.waits

DELAY = timedelta(hours=6)


async def _period_run(client: Client, period: str) -> WorkflowExecutionDescription:
    """Wait until the period's workflow runs, and describe it."""

    async def runs() -> WorkflowExecutionDescription | None:
        try:
            found = await client.get_workflow_handle(f"billing-period/{period}").describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return found if found.status is WorkflowExecutionStatus.RUNNING else None

    return await until(runs)


async def _is_absent(client: Client, period: str) -> bool:
    try:
        await client.get_workflow_handle(f"billing-period/{period}").describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
    return False


async def test_what_is_set(temporal_client: Client, schedule: ScheduleHandle) -> None:
    state = await set_schedule(temporal_client, "America/Los_Angeles", DELAY)
    assert (state.id, state.paused, state.running) == ("billing-monthly", False, [])
    assert len(state.next_runs) >= 10
    assert all(run.tzinfo is not None and (run.day, run.hour, run.minute) == (1, 14, 0) for run in state.next_runs)
    months = [BillingPeriod(run.year, run.month) for run in state.next_runs]
    assert months[1:] == [month.next() for month in months[:-1]]

    found = (await schedule.describe()).schedule
    assert found.policy.overlap is ScheduleOverlapPolicy.BUFFER_ALL
    assert (found.policy.catchup_window or timedelta()) >= timedelta(days=366)
    assert not found.policy.pause_on_failure
    action = found.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.task_queue) == (Workflows.SCHEDULED_PERIOD, BILLING_QUEUE)
    assert not found.spec.time_zone_name  # UTC


async def test_setting_it_again_changes_it(temporal_client: Client, schedule: ScheduleHandle) -> None:
    await set_schedule(temporal_client, "UTC", DELAY)
    await schedules.pause_schedule(temporal_client, "month end")
    state = await set_schedule(temporal_client, "Pacific/Pago_Pago", timedelta(hours=30))
    assert {(run.day, run.hour) for run in state.next_runs} == {(2, 17)}
    assert state.paused
    assert state.note.endswith("month end")
    found = (await schedule.describe()).schedule
    assert len(found.spec.calendars) == 1
    assert found.policy.overlap is ScheduleOverlapPolicy.BUFFER_ALL


async def test_an_impossible_delay_changes_nothing(temporal_client: Client, schedule: ScheduleHandle) -> None:
    with pytest.raises(InputError):
        await set_schedule(temporal_client, "UTC", timedelta(days=40))
    assert [state async for state in schedules.list_schedules(temporal_client)] == []


async def test_before_it_is_set(temporal_client: Client) -> None:
    assert [state async for state in schedules.list_schedules(temporal_client)] == []
    for action in (schedules.schedule_state, schedules.resume_schedule, schedules.trigger_schedule):
        with pytest.raises(InputError, match="`perdure schedule set` creates it"):
            await action(temporal_client)
    with pytest.raises(InputError, match="`perdure schedule set` creates it"):
        await schedules.pause_schedule(temporal_client, "")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_a_trigger_bills_the_month_that_ended_last(
    temporal_client: Client, schedule: ScheduleHandle, worker: Worker, zone: str
) -> None:
    await set_schedule(temporal_client, zone, DELAY)
    before = BillingPeriod.last_ended(datetime.now(UTC), ZoneInfo(zone))
    await schedules.trigger_schedule(temporal_client)
    expected = str(before)
    found = await _period_run(temporal_client, expected)
    assert (found.workflow_type, found.task_queue) == (Workflows.BILLING_PERIOD, BILLING_QUEUE)
    assert found.typed_search_attributes[search_attributes.BILLING_PERIOD] == expected
    assert await found.static_summary() == f"Billing period {expected}"
    assert found.parent_id is not None
    assert found.parent_id.startswith("billing-period/scheduled-")
    parent = temporal_client.get_workflow_handle(found.parent_id)
    assert (await parent.describe()).close_time is None  # it waits until the usage is claimed ...
    await _tell_claimed(temporal_client, found)
    # ... not for the period, which outlives it
    assert await asyncio.wait_for(parent.result(), GIVE_UP_SECONDS) == expected
    again = await temporal_client.get_workflow_handle(f"billing-period/{expected}").describe()
    assert again.close_time is None


async def test_the_period_is_that_of_the_scheduled_time(
    temporal_client: Client, schedule: ScheduleHandle, worker: Worker
) -> None:
    """A backfilled month bills the period due then, not the one due now; overlap drops none."""
    await set_schedule(temporal_client, "America/Los_Angeles", DELAY)
    start, end = datetime(2022, 1, 2, tzinfo=UTC), datetime(2022, 5, 1, 14, tzinfo=UTC)
    await schedule.backfill(ScheduleBackfill(start, end, overlap=ScheduleOverlapPolicy.BUFFER_ALL))
    for period, later in pairwise(("2022-01", "2022-02", "2022-03", "2022-04")):
        found = await _period_run(temporal_client, period)
        assert await _is_absent(temporal_client, later)  # until this month's usage is claimed
        await _tell_claimed(temporal_client, found)
    await _tell_claimed(temporal_client, await _period_run(temporal_client, "2022-04"))
    assert await _is_absent(temporal_client, "2021-12")
    assert await _is_absent(temporal_client, "2022-05")


async def test_a_period_that_is_being_billed_is_left_alone(
    temporal_client: Client, schedule: ScheduleHandle, worker: Worker
) -> None:
    await set_schedule(temporal_client, "UTC", DELAY)
    moment = datetime(2021, 7, 1, 6, tzinfo=UTC)
    runs = set()
    for _ in range(2):
        await schedule.backfill(ScheduleBackfill(moment - timedelta(hours=1), moment))
        found = await _period_run(temporal_client, "2021-06")
        runs.add(found.run_id)
        await _tell_claimed(temporal_client, found)
        await _all_actions_done(temporal_client, schedule)
    assert len(runs) == 1


async def _tell_claimed(client: Client, period: WorkflowExecutionDescription) -> None:
    """Signal the parent as the period does after its batches; here no worker runs its activities."""
    assert period.parent_id is not None
    with contextlib.suppress(RPCError):  # it has already ended
        await client.get_workflow_handle(period.parent_id).signal(Signals.PERIOD_CLAIMED)


async def _all_actions_done(client: Client, schedule: ScheduleHandle) -> None:
    async def none_runs() -> bool:
        return not (await schedules.schedule_state(client)).running

    await until(none_runs)


def _missed(since: datetime, now: datetime) -> list[str]:
    """Return the periods that were due between the two instants, in UTC and with a delay of six hours."""
    day, hour = fires_at(ZoneInfo("UTC"), DELAY)
    period = BillingPeriod(since.year, since.month).previous()
    missed = []
    while (fire := datetime(period.next().year, period.next().month, day, hour, tzinfo=UTC)) <= now:
        if fire > since:
            missed.append(str(period))
        period = period.next()
    return missed


async def test_a_pause_is_made_up_for(temporal_client: Client, schedule: ScheduleHandle, worker: Worker) -> None:
    await set_schedule(temporal_client, "UTC", DELAY)
    now = datetime.now(UTC)
    since = now - timedelta(days=100)
    # As if it had been paused for a hundred days.
    await schedule.pause(note=f"paused by perdure at {since.isoformat()}: moving house")
    missed = _missed(since, now)
    assert len(missed) in (3, 4)

    state = await schedules.resume_schedule(temporal_client)
    assert (state.paused, state.note) == (False, "resumed by perdure")
    for period in missed:
        await _tell_claimed(temporal_client, await _period_run(temporal_client, period))
    assert await _is_absent(temporal_client, str(BillingPeriod.parse(missed[0]).previous()))


async def test_pausing_twice_keeps_the_first_instant(temporal_client: Client, schedule: ScheduleHandle) -> None:
    await set_schedule(temporal_client, "UTC", DELAY)
    first = await schedules.pause_schedule(temporal_client, "first: with a colon\nand two lines")
    assert first.paused
    assert (await schedules.pause_schedule(temporal_client, "second")).note == first.note
    assert not (await schedules.resume_schedule(temporal_client)).paused


async def test_a_pause_by_somebody_else(
    temporal_client: Client, schedule: ScheduleHandle, caplog: pytest.LogCaptureFixture
) -> None:
    await set_schedule(temporal_client, "UTC", DELAY)
    await schedule.pause(note="by hand, in the UI")
    state = await schedules.resume_schedule(temporal_client)
    assert not state.paused
    assert "was paused elsewhere" in caplog.text
