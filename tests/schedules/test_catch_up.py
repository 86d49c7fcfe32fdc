"""The schedule of the catch-up with Stripe's events, on a real server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleInfo,
    ScheduleOverlapPolicy,
)

from contracts import workflow_ids
from contracts.names import BILLING_QUEUE, Workflows
from temporal import schedules
from temporal.schedules import set_catch_up_schedule
from tests.support.until import until

pytestmark = pytest.mark.waits

NAME = workflow_ids.CATCH_UP_SCHEDULE


async def test_what_is_set(temporal_client: Client, catch_up: ScheduleHandle) -> None:
    await set_catch_up_schedule(temporal_client, timedelta(minutes=5))
    state = await set_catch_up_schedule(temporal_client, timedelta(minutes=15))
    assert (state.id, state.paused) == (NAME, False)
    assert state.next_runs[1] - state.next_runs[0] == timedelta(minutes=15)
    found = (await catch_up.describe()).schedule
    assert found.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert found.policy.catchup_window == timedelta(minutes=15), "a single run catches up after an outage"
    assert isinstance(found.action, ScheduleActionStartWorkflow)
    assert (found.action.workflow, found.action.task_queue) == (Workflows.EVENTS_CATCH_UP, BILLING_QUEUE)


async def test_a_run_that_is_still_reading_is_not_overtaken(temporal_client: Client, catch_up: ScheduleHandle) -> None:
    await set_catch_up_schedule(temporal_client, timedelta(hours=24))
    for _ in range(3):
        await schedules.trigger_schedule(temporal_client, NAME)

    async def two_left_out() -> ScheduleInfo | None:
        info = (await catch_up.describe()).info
        return info if info.num_actions_skipped_overlap == 2 else None

    assert (await until(two_left_out)).num_actions == 1


async def test_pausing_and_resuming_it_leaves_the_monthly_one_alone(
    temporal_client: Client, catch_up: ScheduleHandle, schedule: ScheduleHandle
) -> None:
    await set_catch_up_schedule(temporal_client, timedelta(hours=24))
    await schedules.set_schedule(temporal_client, "UTC", timedelta(hours=6))
    assert (await schedules.pause_schedule(temporal_client, "", NAME)).paused
    assert not (await schedules.schedule_state(temporal_client)).paused
    resumed = await schedules.resume_schedule(temporal_client, NAME)
    assert (resumed.paused, resumed.running) == (False, [])
