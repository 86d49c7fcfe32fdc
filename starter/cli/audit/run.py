"""Starting an audit, or joining the one that runs, and watching it to its end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from billing.audit.checks import AuditScope
from contracts.messages.audit import AuditOutcome
from contracts.names import Queries
from starter.cli import common
from temporal.client import connect
from temporal.start import start_audit

_POLL_SECONDS = 0.5
_ANSWER = timedelta(seconds=5)
_STILL_SECONDS = 10.0


async def run(scope: AuditScope, stuck_after: timedelta | None) -> str:
    """Run the audit to its end; gives its id, whatever it found.

    Raises:
        CommandError: it was terminated, or failed otherwise than by what it found.
        TemporalUnavailableError: Temporal cannot be reached.
    """
    handle = await start_audit(await connect(), scope.period, scope.attribution_id, stuck_after)
    result = asyncio.ensure_future(handle.result())
    await _watch(handle, result)
    try:
        return (await result).audit_id
    except WorkflowFailureError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.details:
            return AuditOutcome.model_validate(cause.details[0]).audit_id
        raise common.CommandError(f"{handle.id} failed: {_deepest(error)}") from error


def _deepest(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


async def _watch(handle: WorkflowHandle[Any, AuditOutcome], result: asyncio.Future[AuditOutcome]) -> None:
    """A line of progress on stderr until it ends, and a hint when nothing moves."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    seen, since, hinted = "", monotonic(), False
    with Progress(*columns, console=common.err, transient=True, disable=not common.err.is_terminal) as bar:
        task = bar.add_task("Starting", total=None)
        if not common.err.is_terminal:
            common.err.print(f"{handle.id} in the Temporal UI", markup=False)
        while not (await asyncio.wait([result], timeout=_POLL_SECONDS))[0]:
            now = await _progress(handle)
            bar.update(task, description=now or seen or "Starting")
            if now and now != seen:
                seen, since, hinted = now, monotonic(), False
                if not common.err.is_terminal:
                    common.err.print(now, markup=False)
            elif monotonic() - since > _STILL_SECONDS and not hinted:
                hinted = True
                common.err.print(
                    f"still at it, or no worker runs: {handle.id} in the Temporal UI says what is awaited", markup=False
                )


async def _progress(handle: WorkflowHandle[Any, AuditOutcome]) -> str:
    """What it does now; nothing while no worker answers."""
    try:
        said: str = await handle.query(Queries.PROGRESS, result_type=str, rpc_timeout=_ANSWER)
    except RPCError:
        return ""
    return said
