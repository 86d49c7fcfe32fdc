"""The gauges that come from Temporal: only questions, which no payload key is needed to understand."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeScheduleRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.workflow_ids import SCHEDULES
from starter.monitor import gauges
from starter.monitor.gauges import LabelValues, Samples
from temporal.pollers import queue_states

_ANSWER = timedelta(seconds=4)
_Row = tuple[LabelValues, float]


async def read(client: Client) -> Samples:
    """Return the values of the gauges.

    Raises:
        RPCError: Temporal does not answer, or refuses.
        RuntimeError: a lazy client cannot connect.
    """
    queues, schedules = await asyncio.gather(
        queue_states(client), asyncio.gather(*(_schedule(client, name) for name in SCHEDULES))
    )
    return {
        gauges.POLLERS: [((each.queue,), float(len(each.polling))) for each in queues],
        gauges.QUEUE_TASKS: [((each.queue,), float(each.waiting_tasks)) for each in queues],
        gauges.QUEUE_AGE: [((each.queue,), each.oldest_task.total_seconds()) for each in queues],
        **{
            gauge: [row for schedule in schedules for row in schedule.get(gauge, ())]
            for gauge in (
                gauges.SCHEDULE_SET,
                gauges.SCHEDULE_PAUSED,
                gauges.SCHEDULE_NEXT,
                gauges.SCHEDULE_LAST,
            )
        },
    }


async def _schedule(client: Client, name: str) -> dict[gauges.Gauge, list[_Row]]:
    """Return the values of a schedule. If it does not exist, that alone is known."""
    request = DescribeScheduleRequest(namespace=client.namespace, schedule_id=name)
    try:
        found = await client.workflow_service.describe_schedule(request, timeout=_ANSWER)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return {gauges.SCHEDULE_SET: [((name,), 0.0)]}
        raise
    ran = [each.actual_time.seconds for each in found.info.recent_actions]
    return {
        gauges.SCHEDULE_SET: [((name,), 1.0)],
        gauges.SCHEDULE_PAUSED: [((name,), float(found.schedule.state.paused))],
        gauges.SCHEDULE_NEXT: [((name,), float(each.seconds)) for each in found.info.future_action_times[:1]],
        gauges.SCHEDULE_LAST: [((name,), float(max(ran)))] if ran else [],
    }
