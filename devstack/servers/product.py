"""The product's own processes as children of the stack, started with the product's command line."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from devstack.errors import StackError
from devstack.processes import Child

PERDURE: tuple[str, ...] = (sys.executable, "-P", "-m", "starter.cli.main")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "billing": ("worker", "--queue", "billing"),
    "stripe": ("worker", "--queue", "stripe"),
    "sources": ("worker", "--queue", "sources"),
    "webhook": ("webhook",),
    "api": ("api",),
    "monitor": ("metrics",),
    "console": ("console",),
    "codec": ("codec-server",),
}
NAMES: Mapping[str, str] = {
    "billing": "the billing worker",
    "stripe": "the Stripe worker",
    "sources": "the sources' worker",
    "webhook": "the webhook",
    "api": "the API",
    "monitor": "the metrics",
    "console": "the console",
    "codec": "the codec server",
}
QUEUES = ("billing", "stripe", "sources")
"""The queues, each of which has a worker of its own."""
_POLLS_AS = {"billing": "WORKFLOW", "stripe": "ACTIVITY", "sources": "ACTIVITY"}
READY_SECONDS = 60.0
GLANCE_SECONDS = 1.0


def product_child(name: str, log: Path, env: Mapping[str, str], listening: socket.socket | None = None) -> Child:
    """Return the worker of a queue, the `webhook`, the `api`, the `monitor`, the `console` or the `codec`
    server, not yet started.

    The latter five use the socket that is passed to them, or else listen where their settings say.
    """
    return Child(NAMES[name], [*PERDURE, *COMMANDS[name]], log, env=env, listening=listening)


async def migrate(log: Path, env: Mapping[str, str]) -> None:
    """Upgrade the database's tables.

    Raises:
        StackError: the command failed.
    """
    child = Child("perdure db upgrade", [*PERDURE, "db", "upgrade"], log, env=env)
    child.start()
    try:
        if await child.wait() != 0:
            raise StackError(f"`perdure db upgrade` {child.ended()}: {child.tail()}")
    finally:
        child.kill()


async def start_http(child: Child, page: str) -> None:
    """Start it and wait until it answers on that page.

    Raises:
        StackError: it did not start.
    """
    child.start()
    async with _session() as session:
        await child.wait_ready(lambda: _answers(session, page), timeout_seconds=READY_SECONDS)


async def start_worker(child: Child, queue: str, temporal_http: str | None) -> None:
    """Start it and wait until Temporal sees it poll. With a Temporal that is not ours, wait only for a moment.

    Raises:
        StackError: it did not start.
    """
    child.start()
    if temporal_http is None:
        enough = time.monotonic() + GLANCE_SECONDS

        async def lives() -> bool:
            return child.running and time.monotonic() > enough

        await child.wait_ready(lives)
        return
    kind = f"TASK_QUEUE_TYPE_{_POLLS_AS[queue]}"
    address = f"{temporal_http}/api/v1/namespaces/default/task-queues/{queue}?taskQueueType={kind}"
    async with _session() as session:

        async def polls() -> bool:
            # The identity starts with the process id, because Temporal lists an ended worker for minutes.
            return child.running and await _answers(session, address, f'"{child.pid}@')

        await child.wait_ready(polls, timeout_seconds=READY_SECONDS)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))


async def _answers(session: aiohttp.ClientSession, address: str, containing: str = "") -> bool:
    try:
        async with session.get(address) as response:
            return response.status == 200 and containing in await response.text()
    except (aiohttp.ClientError, TimeoutError):
        return False
