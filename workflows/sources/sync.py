"""One source, read again and again for as long as `sources.toml` names it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from contracts import retries
    from contracts.messages.sources import ReadSource, SourceInput, SourceRead, SyncSource
    from contracts.names import SOURCES_QUEUE, Activities, Updates, Workflows
    from workflows import logged
    from workflows.sources import details


@dataclass
class _Request:
    """Somebody who waits for the next attempt, and its result once it is there."""

    ask: SyncSource
    answer: SourceRead | None = None


@workflow.defn(name=Workflows.SOURCE_SYNC)
class SourceSyncWorkflow:
    """Reads its source every `every`, sooner after a failure, and at once when somebody asks by the update `sync`.

    An attempt that fails never fails the workflow: its result says why, and the details show it until an attempt
    succeeds. A request is answered by the next attempt that begins, whether it succeeds or not.
    """

    @workflow.init
    def __init__(self, source: SourceInput) -> None:
        self._name = source.name
        self._every = source.every
        self._last = source.last
        self._requests: list[_Request] = []

    @workflow.update(name=Updates.SYNC, description="Read the source now; the answer is what the read resulted in.")
    async def sync(self, ask: SyncSource) -> SourceRead:
        """Have the source read, and return the result of the attempt."""
        request = _Request(ask)
        self._requests.append(request)
        await workflow.wait_condition(lambda: request.answer is not None)
        assert request.answer is not None
        return request.answer

    @sync.validator
    def _validate_sync(self, ask: SyncSource) -> None:
        if ask.name != self._name:
            raise ValueError(f"this workflow reads {self._name}, not {ask.name}")

    @workflow.run
    async def run(self, source: SourceInput) -> None:
        """Read until the workflow is cancelled."""
        while True:
            await self._wait()
            requests, self._requests = self._requests, []
            details.show_reading(self._name, self._last, [request.ask.by for request in requests])
            read = await self._attempt(_earliest([request.ask.since for request in requests]))
            self._every = read.every or self._every
            self._last = read
            for request in requests:
                request.answer = read
            await self._continue_as_new_if_suggested()

    async def _wait(self) -> None:
        """Wait until the next read is due, or somebody asks for one."""
        due = self._due()
        details.show_waiting(self._name, self._last, due)
        delay = due - workflow.now()
        if self._requests or delay <= timedelta():
            return
        try:
            await workflow.wait_condition(
                lambda: bool(self._requests), timeout=delay, timeout_summary=f"Until {self._name} is read again"
            )
        except TimeoutError:
            return

    def _due(self) -> datetime:
        last = self._last
        if last is None:
            return workflow.now()
        if last.error is None:
            return last.started_at + self._every
        failing_for = workflow.now() - (last.failing_since or workflow.now())
        return workflow.now() + min(self._every, max(retries.SOURCE_RETRIED_AFTER, failing_for))

    async def _attempt(self, since: datetime | None) -> SourceRead:
        started_at = workflow.now()
        try:
            read: SourceRead = await workflow.execute_activity(
                Activities.READ_SOURCE,
                ReadSource(name=self._name, since=since),
                result_type=SourceRead,
                task_queue=SOURCES_QUEUE,
                schedule_to_start_timeout=retries.SOURCE_READ_BEGINS,
                start_to_close_timeout=retries.SOURCE_READ_LONGEST,
                heartbeat_timeout=retries.HEARTBEAT,
                retry_policy=retries.SOURCE_READ,
                summary=f"Read {self._name}" + (f" since {since:%Y-%m-%d %H:%M UTC}" if since else ""),
            )
        except ActivityError as error:
            return self._failed(error, started_at)
        return read

    def _failed(self, error: ActivityError, started_at: datetime) -> SourceRead:
        """Return what an attempt resulted in that could not even record why it failed."""
        if is_cancelled_exception(error):
            raise error
        last, reason = self._last, _reason(error)
        if last is None or last.failing_since is None:
            logged.source_unanswered(self._name, reason)
        return SourceRead(
            name=self._name,
            started_at=started_at,
            complete_up_to=last and last.complete_up_to,
            error=reason,
            failing_since=(last and last.failing_since) or started_at,
        )

    async def _continue_as_new_if_suggested(self) -> None:
        """Continue as new once the history is long. Requests are answered first."""
        if not workflow.info().is_continue_as_new_suggested():
            return
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or bool(self._requests))
        if not self._requests:
            workflow.continue_as_new(SourceInput(name=self._name, every=self._every, last=self._last))


def _earliest(given: list[datetime | None]) -> datetime | None:
    return min((since for since in given if since is not None), default=None)


def _reason(error: ActivityError) -> str:
    cause = error.cause
    if isinstance(cause, TimedOut) and cause.type is TimeoutType.SCHEDULE_TO_START:
        return f"no worker of the queue `{SOURCES_QUEUE}` answers: start `perdure worker --queue {SOURCES_QUEUE}`"
    if isinstance(cause, ApplicationError):
        return cause.message
    return f"the sources' worker does not answer: {cause}"
