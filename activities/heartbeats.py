"""Heartbeats: when they stop, the server gives a killed worker's step to another worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

_EVERY_SECONDS = 4.0  # several within `retries.HEARTBEAT`, so that a busy moment does not look like a death


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeat while the block runs, if the activity has a heartbeat timeout: local activities have none."""
    if not activity.info().heartbeat_timeout:
        yield
        return
    beat = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)


async def _beat() -> None:
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        activity.heartbeat()
