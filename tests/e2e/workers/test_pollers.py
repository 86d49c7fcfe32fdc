"""Who serves a queue: a worker that runs, has stopped, or was killed."""

from __future__ import annotations

import os
import signal
import sys
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from temporal import pollers
from tests.support.until import until

if TYPE_CHECKING:
    from temporalio.client import Client

_SECOND = timedelta(seconds=1)


@asynccontextmanager
async def _serving(address: str, queue: str) -> AsyncIterator[Process]:
    command = (sys.executable, "-P", "-m", "tests.e2e.workers.serve", address, queue, "1")
    process = await create_subprocess_exec(*command, env={**os.environ, "PYTHONPATH": os.getcwd()})
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _polling(client: Client, queue: str, expected: bool) -> pollers.QueueState:
    async def reached() -> pollers.QueueState | None:
        state = await pollers.queue_state(client, queue)
        return state if bool(state.polling) is expected else None

    return await until(reached)


async def _beating(client: Client, queue: str) -> pollers.QueueState:
    """Wait for a worker's first heartbeat: its first poll is known sooner."""

    async def heard() -> pollers.QueueState | None:
        state = await pollers.queue_state(client, queue)
        return state if state.since else None

    return await until(heard)


async def test_a_queue_that_nobody_has_polled_has_no_workers(temporal_client: Client) -> None:
    state = await pollers.queue_state(temporal_client, f"nobody-{uuid4()}")

    assert (state.workers, state.since, state.seen_at, state.waiting_tasks) == ((), None, None, 0)


@pytest.mark.waits
async def test_a_worker_polls_from_its_start_until_it_stops(temporal_client: Client, temporal_address: str) -> None:
    queue = f"stops-{uuid4()}"
    before = datetime.now(UTC) - _SECOND
    async with _serving(temporal_address, queue) as process:
        running = await _beating(temporal_client, queue)
        assert running.since is not None
        assert before <= running.since <= datetime.now(UTC)
        assert running.polls_as(running.workers[0].identity)
        process.send_signal(signal.SIGTERM)
        await process.wait()

        stopped = await pollers.queue_state(temporal_client, queue)

    assert (stopped.polling, stopped.since) == ((), None)
    assert stopped.seen_at is not None


@pytest.mark.waits
async def test_a_killed_worker_does_not_poll_although_its_poll_is_remembered(
    temporal_client: Client, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pollers, "WORKER_HEARTBEAT", _SECOND)
    queue = f"killed-{uuid4()}"
    async with _serving(temporal_address, queue) as process:
        await _beating(temporal_client, queue)
        process.kill()
        await process.wait()
        killed_at = datetime.now(UTC)

        gone = await _polling(temporal_client, queue, False)

    assert datetime.now(UTC) - killed_at < timedelta(seconds=30), "a poll is remembered for a minute and more"
    assert gone.seen_at is not None
    assert gone.seen_at <= killed_at


async def test_a_server_without_heartbeats_has_the_polls(
    temporal_client: Client, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(client: Client, queue: str) -> dict[str, object]:
        return {}

    monkeypatch.setattr(pollers, "_heartbeats", none)
    queue = f"old-server-{uuid4()}"
    async with _serving(temporal_address, queue):
        running = await _polling(temporal_client, queue, True)

    assert running.since is None
