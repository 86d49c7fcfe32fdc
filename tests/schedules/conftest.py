"""The schedules on the real server, and a worker that runs the monthly schedule's action."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, ScheduleHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from contracts import workflow_ids
from contracts.names import BILLING_QUEUE
from worker import SANDBOX
from workflows.periods.period import BillingPeriodWorkflow
from workflows.periods.schedule import ScheduledPeriodWorkflow


@pytest.fixture
async def schedule(temporal_client: Client) -> AsyncIterator[ScheduleHandle]:
    """Yield the monthly schedule's handle, and delete the schedule afterwards."""
    handle = temporal_client.get_schedule_handle(workflow_ids.MONTHLY_SCHEDULE)
    try:
        yield handle
    finally:
        with contextlib.suppress(RPCError):
            await handle.delete()


@pytest.fixture
async def catch_up(temporal_client: Client) -> AsyncIterator[ScheduleHandle]:
    """Yield the catch-up schedule's handle; afterwards delete the schedule and end the workflows it started."""
    handle = temporal_client.get_schedule_handle(workflow_ids.CATCH_UP_SCHEDULE)
    try:
        yield handle
    finally:
        with contextlib.suppress(RPCError):
            await handle.delete()
        await _terminate(temporal_client, workflow_ids.EVENTS_CATCH_UP)


@pytest.fixture
async def worker(temporal_client: Client) -> AsyncIterator[Worker]:
    """Run the schedule's action and the period's workflow, which waits for activities that no worker runs."""
    running = Worker(
        temporal_client,
        task_queue=BILLING_QUEUE,
        workflows=[ScheduledPeriodWorkflow, BillingPeriodWorkflow],
        workflow_runner=SANDBOX,
    )
    async with running:
        try:
            yield running
        finally:
            await _terminate(temporal_client, "billing-period/")


async def _terminate(client: Client, prefix: str) -> None:
    """Terminate workflows until none is listed: Temporal lists new ones with a delay."""
    query = f'ExecutionStatus = "Running" AND WorkflowId STARTS_WITH "{prefix}"'
    empty = 0
    while empty < 2:
        found = [workflow async for workflow in client.list_workflows(query)]
        for workflow in found:
            with contextlib.suppress(RPCError):
                await client.get_workflow_handle(workflow.id, run_id=workflow.run_id).terminate("the test is over")
        empty = 0 if found else empty + 1
        await asyncio.sleep(0.05)
