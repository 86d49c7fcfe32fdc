"""A stand-in for the product's command line, for tests of the stack: it records its environment and runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from starter.handed_over import handed_over_socket


def main(arguments: list[str]) -> None:
    seen = Path(os.environ["PERDURE_HOME"]) / "seen"
    seen.mkdir(exist_ok=True)
    (seen / f"{'-'.join(arguments)}.json").write_text(json.dumps(dict(os.environ)))
    if arguments[0] == "db":
        return
    asyncio.run(_answer() if arguments[0] in ("webhook", "api", "metrics", "console") else _poll(arguments[-1]))


async def _answer() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
        await writer.drain()
        writer.close()

    await asyncio.start_server(answer, sock=handed_over_socket())
    await _until_told()


async def _poll(queue: str) -> None:
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest
    from temporalio.client import Client

    if "TEMPORAL_API_KEY" in os.environ:  # not our server: nothing to poll
        return await _until_told()
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    service, tasks, me = client.workflow_service, TaskQueue(name=queue), f"{os.getpid()}@stub"
    polling: asyncio.Future[object]
    if queue == "billing":
        workflows = PollWorkflowTaskQueueRequest(namespace="default", task_queue=tasks, identity=me)
        polling = asyncio.ensure_future(service.poll_workflow_task_queue(workflows))
    else:
        activities = PollActivityTaskQueueRequest(namespace="default", task_queue=tasks, identity=me)
        polling = asyncio.ensure_future(service.poll_activity_task_queue(activities))
    await _until_told()
    polling.cancel()
    os._exit(0)


async def _until_told() -> None:
    reported = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, reported.set)
    await reported.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
