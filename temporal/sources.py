"""Sources and their workflows: asking for a read, and keeping those running that `sources.toml` names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from billing.errors import PerdureError, UnavailableError
from contracts import workflow_ids
from contracts.messages.sources import SourceInput, SourceRead, SyncSource
from temporal.start import start_source, update_source


class SourceSyncError(PerdureError):
    """A source was asked for, but did not answer; the message says why."""


class UnansweredSyncError(SourceSyncError, UnavailableError):
    """No worker accepted the request."""


async def request_sync(
    client: Client, source: SourceInput, ask: SyncSource, update_id: str, patience: timedelta | None = None
) -> WorkflowUpdateHandle[SourceRead]:
    """Ask for a read of a source. The handle has what the attempt resulted in, its `error` included.

    Raises:
        SourceSyncError: no worker accepts the request within `patience`.
        RPCError: Temporal cannot be reached.
    """
    try:
        return await update_source(client, source, ask, update_id, patience)
    except WorkflowUpdateFailedError as error:
        raise SourceSyncError(_why(source.name, error)) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise UnansweredSyncError("no worker answers: start `perdure worker`, then sync again") from error


async def sync_source(client: Client, source: SourceInput, ask: SyncSource, update_id: str) -> SourceRead:
    """Have a source read now, and return what the attempt resulted in, its `error` included.

    Raises:
        SourceSyncError: the source's workflow was ended meanwhile.
        RPCError: Temporal cannot be reached.
    """
    handle = await request_sync(client, source, ask, update_id)
    try:
        return await handle.result()
    except WorkflowUpdateFailedError as error:
        raise SourceSyncError(_why(source.name, error)) from error


def _why(name: str, error: WorkflowUpdateFailedError) -> str:
    return f"source {name}: {getattr(error.cause, 'message', None) or error.cause}"


async def start_sources(client: Client, sources: Iterable[SourceInput]) -> None:
    """Begin to read each source again and again, unless it is being read already. Idempotent."""
    for source in sources:
        await start_source(client, source)


async def end_source(client: Client, name: str) -> bool:
    """End the reading of a source. Returns whether it was being read."""
    handle = client.get_workflow_handle(workflow_ids.source(name))
    try:
        if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
            return False
        await handle.cancel()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True
