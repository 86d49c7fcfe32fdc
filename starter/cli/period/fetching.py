"""What a period's run fetches before it bills, as its workflow says, and going on without a source."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from billing.text import plural
from contracts import workflow_ids
from contracts.messages.sources import FetchState, SourceFetch
from contracts.names import Queries
from starter.cli import common, output
from temporal.client import TemporalUnavailableError, connect

_PATIENCE_SECONDS = 5.0
_FETCHING = ("fetching", "held")


async def fetch_state(handle: WorkflowHandle[Any, Any]) -> FetchState | None:
    """Return what a running period fetches. None if it bills, or if no worker answers."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            phase = await handle.query(Queries.PHASE, result_type=str)
    except (RPCError, TimeoutError):
        return None
    return await fetched_by(handle) if phase in _FETCHING else None


async def fetched_by(handle: WorkflowHandle[Any, Any]) -> FetchState | None:
    """Return what a period's run has fetched so far. None if it has no sources, or if no worker answers."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found: FetchState = await handle.query(Queries.FETCH, result_type=FetchState)
    except (RPCError, TimeoutError):
        return None
    return found if found.sources else None


async def fetch_of_period(period: str) -> FetchState | None:
    """Return what the running period fetches. None if it does not, or if Temporal or its worker cannot be reached."""
    try:
        handle = (await connect()).get_workflow_handle(workflow_ids.billing_period(period))
        if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
            return None
    except (TemporalUnavailableError, RPCError):
        return None
    return await fetch_state(handle)


def refuse_held(period: str, state: FetchState, account: str | None) -> None:
    """Refuse to wait for a run that a source holds.

    Raises:
        CommandError: a source holds it.
    """
    if not state.held:
        return
    whose = f" --account {account}" if account else ""
    waits = "; ".join(describe(source) for source in state.sources if source.name in state.held)
    raise common.CommandError(
        f"{period} is held: {waits}. It goes on by itself once that is read, or without it: "
        f"`perdure period approve {period}{whose} --without-source {state.held[0]}`",
        common.ExitStatus.PERSON,
    )


def summary(state: FetchState) -> str:
    """Return in one line which sources the run waits for."""
    awaited = [describe(source) for source in state.sources if source.state != "read"]
    return f"fetching: {'; '.join(awaited)}" if awaited else "all sources are fetched"


def describe_read(source: SourceFetch) -> str:
    """Return in words what was fetched from a source."""
    read = source.read
    if read is None or read.error is not None or read.removed:
        return f"fetched nothing from {source.name}"
    words = f"fetched {plural(read.rows, 'row')} from {source.name}: {read.new:,} new"
    return words + (f", {read.refused:,} refused (`perdure sources list {source.name}`)" if read.refused else "")


def describe(source: SourceFetch) -> str:
    """Return in words how far a source is fetched."""
    read = source.read
    if source.state == "due":
        return f"{source.name} is read at {output.when(source.ready_at)}, when it can be complete"
    if source.state == "skipped":
        return f"{source.name} is not waited for"
    if source.state == "removed":
        return f"{source.name} is no longer in use"
    if read is None:
        return f"{source.name} is being read since {output.when(source.ready_at)}"
    if read.error is not None:
        since = f" since {output.when(read.failing_since)}" if read.failing_since else ""
        return f"{source.name} fails{since}: {read.error}"
    return f"{source.name} is complete up to {output.when(read.complete_up_to)} only"


def documents(state: FetchState | None) -> list[dict[str, object]]:
    """Return the JSON of the sources that a run fetches."""
    return [
        {
            "name": source.name,
            "state": source.state,
            "ready_at": output.json_instant(source.ready_at),
            "rows": source.read.rows if source.read else None,
            "new": source.read.new if source.read else None,
            "refused": source.read.refused if source.read else None,
            "complete_up_to": output.json_instant(source.read.complete_up_to) if source.read else None,
            "failing_since": output.json_instant(source.read.failing_since) if source.read else None,
            "error": source.read.error if source.read else None,
        }
        for source in (state.sources if state else ())
    ]
