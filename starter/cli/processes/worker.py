"""`perdure worker`: serves the task queues."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE
from starter.cli import common
from worker import QUEUES, serve


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
    await serve(settings, QUEUES if queue is None else [str(queue)])
