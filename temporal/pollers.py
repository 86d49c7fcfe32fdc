"""Who serves a task queue: its workers, since when they poll, and how many tasks wait for one.

Temporal knows workers in two ways. A poll lasts up to a minute, and its start is remembered for five: so a worker that
was killed still seems to poll. Workers of this release also send heartbeats every few seconds
(`temporal/client.py`); they say when the worker started, and when one ends, it says so. A server that knows no
heartbeats has the polls alone. A step's worker may be known to have ended before its heartbeats are missed
(`QueueState.lost`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE
from temporal.client import WORKER_HEARTBEAT

QUEUES = (BILLING_QUEUE, STRIPE_QUEUE, SOURCES_QUEUE)

_LONGEST_POLL = timedelta(seconds=70)
_MISSED_HEARTBEATS = 3
_TYPES = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
_ANSWER = timedelta(seconds=5)
_PAGE = 200
_MOST_PAGES = 10
_KNOWS_NO_HEARTBEATS = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED)


@dataclass(frozen=True)
class QueueWorker:
    """A worker of a queue, now or in the last minutes.

    `since`: when it started, None if Temporal does not know. `seen_at`: its last poll or heartbeat. `beats`: False if
    it has said that it ends, or has missed its heartbeats; None if it never sent one.
    """

    identity: str
    polls: bool
    since: datetime | None
    seen_at: datetime
    beats: bool | None = None


@dataclass(frozen=True)
class QueueState:
    """A task queue: its workers, those that poll first, and about how many tasks wait, the oldest for `oldest_task`."""

    queue: str
    workers: tuple[QueueWorker, ...]
    waiting_tasks: int
    oldest_task: timedelta

    @property
    def polling(self) -> tuple[QueueWorker, ...]:
        """The workers that poll."""
        return tuple(worker for worker in self.workers if worker.polls)

    @property
    def since(self) -> datetime | None:
        """Since when the oldest of the workers that poll has run; None if none polls, or Temporal does not know."""
        return min((worker.since for worker in self.polling if worker.since), default=None)

    @property
    def seen_at(self) -> datetime | None:
        """The last sign of any worker; None if there was none in the last minutes."""
        return max((worker.seen_at for worker in self.workers), default=None)

    def polls_as(self, identity: str) -> bool:
        """Whether the worker with this identity polls, as a pending activity names the worker that took it."""
        return any(worker.identity == identity for worker in self.polling)

    def lost(self, identity: str) -> bool:
        """Whether the worker that took a step has ended or no longer answers. A worker that drains is not lost."""
        silent = any(worker.identity == identity and worker.beats is False for worker in self.workers)
        return silent or _has_ended(identity)

    def lacks_worker(self, *, has_sources: bool) -> bool:
        """Whether a worker is needed and none polls; that of `sources` is needed only if there is something to read."""
        needed = self.queue != SOURCES_QUEUE or has_sources or self.waiting_tasks > 0
        return needed and not self.polling


async def queue_states(client: Client, queues: Sequence[str] = QUEUES) -> list[QueueState]:
    """Return the state of each queue, in this order.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    return list(await asyncio.gather(*(queue_state(client, queue) for queue in queues)))


async def queue_state(client: Client, queue: str) -> QueueState:
    """Return the state of a queue. A queue that nobody has ever polled has no workers.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    described, heartbeats = await asyncio.gather(
        asyncio.gather(*(_describe(client, queue, kind) for kind in _TYPES)), _heartbeats(client, queue)
    )
    polled: dict[str, datetime] = {}
    for poller in (poller for answer in described for poller in answer.pollers):
        polled[poller.identity] = max(
            _instant(poller.last_access_time), polled.get(poller.identity, datetime.min.replace(tzinfo=UTC))
        )
    now = datetime.now(UTC)
    workers = [_judge(name, polled.get(name), heartbeats.get(name), now) for name in {*polled, *heartbeats}]
    return QueueState(
        queue=queue,
        workers=tuple(sorted(workers, key=lambda worker: (not worker.polls, worker.identity))),
        waiting_tasks=sum(answer.stats.approximate_backlog_count for answer in described),
        oldest_task=max(_length(answer.stats.approximate_backlog_age) for answer in described),
    )


def _judge(identity: str, polled_at: datetime | None, heartbeat: WorkerHeartbeat | None, now: datetime) -> QueueWorker:
    """Decide whether a worker polls; one of the two is given."""
    if heartbeat is None:
        assert polled_at is not None
        return QueueWorker(identity, now - polled_at <= _LONGEST_POLL, None, polled_at)
    beat_at = _instant(heartbeat.heartbeat_time)
    patience = _MISSED_HEARTBEATS * max(WORKER_HEARTBEAT, _length(heartbeat.elapsed_since_last_heartbeat))
    seen_at = max(beat_at, polled_at or beat_at)
    # A heartbeat has the worker's clock: a poll that is younger, by the server's, shows that this clock is behind.
    fresh = now - beat_at <= patience or (seen_at - beat_at > patience and now - seen_at <= _LONGEST_POLL)
    running = heartbeat.status == WorkerStatus.WORKER_STATUS_RUNNING
    beats = fresh and heartbeat.status != WorkerStatus.WORKER_STATUS_SHUTDOWN
    return QueueWorker(identity, running and fresh, _instant(heartbeat.start_time), seen_at, beats)


def _has_ended(worker: str) -> bool:
    """Return whether a worker, `<pid>@<host>`, ran on this machine and has ended: known before a heartbeat is missed.

    A container can have this machine's name and process numbers of its own, so this alone says nothing of who polls.
    """
    pid, _, host = worker.partition("@")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it runs as another user
    return False


async def _describe(client: Client, queue: str, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind, report_stats=True
    )
    return await client.workflow_service.describe_task_queue(request, retry=True, timeout=_ANSWER)


async def _heartbeats(client: Client, queue: str) -> dict[str, WorkerHeartbeat]:
    """Return the newest heartbeat of each worker by its identity; empty if the server knows none."""
    found: dict[str, WorkerHeartbeat] = {}
    request = ListWorkersRequest(namespace=client.namespace, page_size=_PAGE, query=f"TaskQueue = '{queue}'")
    for _ in range(_MOST_PAGES):
        try:
            page = await client.workflow_service.list_workers(request, retry=True, timeout=_ANSWER)
        except RPCError as error:
            if error.status in _KNOWS_NO_HEARTBEATS:
                return {}
            raise
        for beat in (worker.worker_heartbeat for worker in page.workers_info):
            known = found.get(beat.worker_identity)
            if known is None or _instant(known.start_time) <= _instant(beat.start_time):
                found[beat.worker_identity] = beat
        request.next_page_token = page.next_page_token
        if not page.next_page_token:
            break
    return found


def _instant(at: Timestamp) -> datetime:
    return at.ToDatetime(tzinfo=UTC)


def _length(duration: Duration) -> timedelta:
    return duration.ToTimedelta()
