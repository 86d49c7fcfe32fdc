"""What a person waits for comes before what a run has queued: Stripe's rate limit makes that queue long."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import ActivityHandle, Client
from temporalio.worker import Worker

from billing.errors import PerdureError
from contracts.messages.customers import ListCustomers
from temporal.single import SingleRun, start_single

pytestmark = pytest.mark.waits

_QUEUED = 40
_MINUTE = timedelta(minutes=1)


async def places(client: Client, *, first: bool) -> int:
    """Queue a run's activities, then one more; return how many were done before that one."""
    queue, done = f"busy-{uuid4()}", list[str]()

    @activity.defn(name="note")
    async def note(page: ListCustomers) -> ListCustomers:
        done.append(activity.info().activity_id)
        return page

    async def start(activity_id: str, *, first: bool) -> ActivityHandle[ListCustomers]:
        run = SingleRun(queue, _MINUTE, None, _MINUTE, PerdureError, first=first)
        page = ListCustomers(cursor=None, location=False)
        return await start_single(client, "note", page, ListCustomers, activity_id, "note", run)

    handles = [await start(f"{queue}-{number}", first=False) for number in range(_QUEUED)]
    handles.append(await start(f"{queue}-asked", first=first))
    worker = Worker(
        client,
        task_queue=queue,
        activities=[note],
        max_concurrent_activities=2,
        max_task_queue_activities_per_second=20,
    )
    async with worker:
        await asyncio.gather(*(handle.result() for handle in handles))
    return done.index(f"{queue}-asked")


async def test_what_a_person_asks_is_answered_before_a_runs_work_is_done(temporal_client: Client) -> None:
    asked, sent = await asyncio.gather(places(temporal_client, first=True), places(temporal_client, first=False))
    assert asked < _QUEUED // 4  # nearly first: the server has handed out some already
    assert sent >= _QUEUED // 2
