"""A worker process of a queue, as a test kills it: `python -m tests.e2e.workers.serve ADDRESS QUEUE SECONDS`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta

from temporalio import activity
from temporalio.worker import Worker

from temporal import client as temporal_client


@activity.defn
async def nothing() -> None:
    """Do nothing."""


async def main(address: str, queue: str, heartbeat_seconds: str) -> None:
    os.environ["TEMPORAL_ADDRESS"] = address
    temporal_client.WORKER_HEARTBEAT = timedelta(seconds=float(heartbeat_seconds))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Worker(await temporal_client.connect(), task_queue=queue, activities=[nothing]):
        await stop.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
