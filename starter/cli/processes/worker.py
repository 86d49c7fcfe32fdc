"""`perdure worker`: serves the task queues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE
from settings import Settings
from starter.cli import common
from worker import QUEUES, serve

if TYPE_CHECKING:
    from starter.health import WorkerHealth


class Queue(StrEnum):
    """A task queue that a worker serves."""

    BILLING = BILLING_QUEUE
    STRIPE = STRIPE_QUEUE
    SOURCES = SOURCES_QUEUE


@common.command
async def worker(
    queue: Annotated[Queue | None, typer.Option(help="Serve only this queue; default: billing and stripe.")] = None,
) -> None:
    """Serve task queues, until SIGTERM.

    Only the queue `stripe` needs STRIPE_API_KEY. The queue `sources` reads the databases, folders and buckets of
    sources.toml, and needs their secrets.
    """
    settings = common.settings()
    common.log_to_stderr(settings, temporal=True)
    queues = QUEUES if queue is None else [str(queue)]
    async with _health(settings, queues) as health:
        await serve(settings, queues, health)


@asynccontextmanager
async def _health(settings: Settings, queues: Sequence[str]) -> AsyncIterator[WorkerHealth | None]:
    """Serve the worker's health, if HEALTH_PORT is set, with its own connection: the worker's can all be busy."""
    if settings.health_port is None:
        yield None
        return
    from starter.health import WorkerHealth, serving_health

    if set(queues) == {STRIPE_QUEUE} or settings.database_url is None:
        health = WorkerHealth()
        async with serving_health(health, settings.health_port):
            yield health
        return
    from storage.postgres.database import Database

    database = Database(settings.need("database_url"), pool_size=1)
    health = WorkerHealth([database.ping])
    try:
        async with serving_health(health, settings.health_port):
            yield health
    finally:
        await database.close()
