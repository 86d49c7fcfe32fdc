"""Fetching usage before it is billed: every source is read up to the cutoff, and what the API accepted is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import retries
    from contracts.messages.sources import (
        ARRIVALS,
        ArrivalsDrained,
        DrainArrivals,
        FetchPlan,
        FetchState,
        PlanFetch,
        SourceDue,
        SourceFetch,
        SourceRead,
        SyncSource,
    )
    from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, Activities
    from workflows.steps import in_utc, local_step, permanent_reason

_TICK = timedelta(minutes=5)


def _never() -> bool:
    return False


class Fetch:
    """Reads everything that arrives by itself. A source that fails is asked again until it is read or skipped.

    Args:
        by: for whom usage is fetched, as the sources' workflows show it.
        began: when the fetch began, if it continues one of an earlier run.
        changed: is called whenever `state` changes.
    """

    def __init__(self, by: str, began: datetime | None = None, changed: Callable[[], None] = lambda: None) -> None:
        self._by = by
        self._began = began
        self._changed = changed
        self._plan: FetchPlan | None = None
        self._due: dict[str, datetime] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reads: dict[str, SourceRead] = {}
        self._done: set[str] = set()
        self._skipped: set[str] = set()

    @property
    def began(self) -> datetime | None:
        """When the fetch began."""
        return self._began

    @property
    def awaited(self) -> list[str]:
        """The sources that are neither read nor skipped."""
        return [name for name in self._due if name not in self._done | self._skipped]

    @property
    def overdue(self) -> list[str]:
        """The awaited sources that could have been read for so long that the period counts as held."""
        return [name for name in self.awaited if workflow.now() - self._since(name) >= retries.FETCH_PATIENCE]

    @property
    def state(self) -> FetchState:
        """What was read, and what is awaited."""
        sources = [
            SourceFetch(name=name, state=self._state_of(name), ready_at=self._since(name), read=self._reads.get(name))
            for name in sorted(self._due)
        ]
        return FetchState(cutoff=self._plan and self._plan.cutoff, sources=sources, held=self.overdue)

    def skip(self, name: str) -> None:
        """Go on without a source: what it still has to report is billed by a later run."""
        self._skipped.add(name)
        self._tasks[name].cancel()

    async def run(
        self,
        plan: PlanFetch,
        *,
        skipped: Sequence[str] = (),
        patience: timedelta | None = None,
        stopped: Callable[[], bool] = _never,
    ) -> bool:
        """Fetch until every source is read or skipped, and return True.

        Without `patience`, a source is read when it is complete up to the cutoff, however long that takes. With it,
        each is read at once, whether it is complete or not.

        Returns False if `stopped` says so before that, or after `patience`.
        """
        self._plan = await local_step(Activities.PLAN_FETCH, plan, FetchPlan, "Find out which sources are to be read")
        self._began = began = self._began or workflow.now()
        for due in self._plan.sources:
            if patience is None:
                self._start(due.name, due.ready_at, self._read_complete(due, self._plan))
            else:
                self._start(due.name, began, self._read(due.name, self._plan.since))
        if self._plan.pending:
            self._start(ARRIVALS, began, self._drain())
        for name in set(skipped) & self._tasks.keys():
            self.skip(name)
        # What follows a timer depends on its firing alone, so that histories replay when a length of time changes.
        while self.awaited and not stopped():
            self._changed()
            try:
                await workflow.wait_condition(
                    lambda: not self.awaited, timeout=patience or _TICK, timeout_summary="Show what is awaited"
                )
            except TimeoutError:
                if patience is not None:
                    break
        for name in self.awaited:
            self._tasks[name].cancel()
        return not self.awaited

    def _start(self, name: str, ready_at: datetime, fetching: Awaitable[object]) -> None:
        self._due[name] = ready_at
        self._tasks[name] = asyncio.create_task(self._follow(name, fetching))

    async def _follow(self, name: str, fetching: Awaitable[object]) -> None:
        try:
            await fetching
        except (asyncio.CancelledError, ActivityError) as error:
            if is_cancelled_exception(error):
                return
            raise
        self._done.add(name)
        self._changed()

    async def _read_complete(self, due: SourceDue, plan: FetchPlan) -> None:
        if due.ready_at > workflow.now():
            await workflow.sleep(due.ready_at - workflow.now(), summary=f"{due.name} can be complete then")
        while True:
            read = await self._read(due.name, plan.since)
            if read.removed or (read.complete_up_to is not None and read.complete_up_to >= plan.cutoff):
                return
            await workflow.sleep(retries.SOURCE_RETRIED_AFTER, summary=f"Read {due.name} again: it is behind")

    async def _read(self, name: str, since: datetime) -> SourceRead:
        """Have the source read until that succeeds."""
        while True:
            self._reads[name] = read = await self._sync(name, since)
            self._changed()
            if read.error is None:
                return read
            await workflow.sleep(retries.SOURCE_RETRIED_AFTER, summary=f"Read {name} again: it fails")

    async def _sync(self, name: str, since: datetime) -> SourceRead:
        try:
            read: SourceRead = await workflow.execute_activity(
                Activities.SYNC_SOURCE,
                SyncSource(name=name, since=since, by=self._by),
                result_type=SourceRead,
                task_queue=BILLING_QUEUE,
                start_to_close_timeout=retries.SOURCE_READ_LONGEST,
                heartbeat_timeout=retries.HEARTBEAT,
                retry_policy=retries.TRANSIENT,
                summary=f"Have {name} read from {in_utc(since)} on",
            )
        except ActivityError as error:
            return self._failed(name, error)
        return read

    async def _drain(self) -> None:
        """Have stored what the API accepted, until that succeeds."""
        while True:
            self._reads[ARRIVALS] = read = await self._drain_once()
            self._changed()
            if read.error is None:
                return
            await workflow.sleep(retries.SOURCE_RETRIED_AFTER, summary=f"Store {ARRIVALS} again: it fails")

    async def _drain_once(self) -> SourceRead:
        try:
            drained: ArrivalsDrained = await workflow.execute_activity(
                Activities.DRAIN_ARRIVALS,
                DrainArrivals(by=self._by),
                result_type=ArrivalsDrained,
                task_queue=SOURCES_QUEUE,
                start_to_close_timeout=retries.LONG_STEP,
                heartbeat_timeout=retries.HEARTBEAT,
                retry_policy=retries.TRANSIENT,
                summary="Store what the API has accepted",
            )
        except ActivityError as error:
            return self._failed(ARRIVALS, error)
        return SourceRead(
            name=ARRIVALS, started_at=workflow.now(), rows=drained.facts, new=drained.instances, refused=drained.refused
        )

    def _failed(self, name: str, error: ActivityError) -> SourceRead:
        """A step that cannot be repeated is an attempt that failed."""
        if is_cancelled_exception(error):
            raise error
        return SourceRead(name=name, started_at=workflow.now(), error=permanent_reason(error))

    def _since(self, name: str) -> datetime:
        assert self._began is not None
        return max(self._began, self._due[name])

    def _state_of(self, name: str) -> str:
        if name in self._skipped:
            return "skipped"
        if name in self._done:
            return "removed" if self._reads[name].removed else "read"
        if workflow.now() < self._due[name]:
            return "due"
        read = self._reads.get(name)
        if read is None:
            return "reading"
        return "behind" if read.error is None else "failing"


async def fetch_briefly(cutoff: datetime, draft_of: str | None = None) -> str:
    """Fetch for one account's bill that must not wait for long. Returns which sources it goes without, in words.

    What they report later is late usage, which the next run bills. `draft_of`: the account whose subscription's draft
    it is for.
    """
    if not workflow.patched("fetch"):
        return ""
    fetch = Fetch(workflow.info().workflow_id)
    if await fetch.run(PlanFetch(cutoff=cutoff, draft_of=draft_of), patience=retries.FETCH_PATIENCE_OF_ONE):
        return ""
    names = ", ".join(fetch.awaited)
    return f" **Billed without {names}**, not read within {retries.FETCH_PATIENCE_OF_ONE}: the next run bills the rest."
