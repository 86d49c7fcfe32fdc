"""Start an audit, or join the running one, and watch it to its end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from billing.audit.checks import AuditScope
from contracts.messages.audit import AuditResult
from contracts.names import Queries
from starter.cli import common, output
from temporal.client import connect
from temporal.start import start_audit

_POLL_SECONDS = 0.5
_ANSWER = timedelta(seconds=5)
_STILL_SECONDS = 10.0


async def run(scope: AuditScope, stuck_after: timedelta | None) -> str:
    """Run the audit to its end and return its id, whatever it found.

    Raises:
        CommandError: the audit was terminated, or failed for another reason than its findings.
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
            return AuditResult.model_validate(cause.details[0]).audit_id
        raise common.CommandError(f"{handle.id} failed: {common.root_cause(error)}") from error


async def _watch(handle: WorkflowHandle[Any, AuditResult], result: asyncio.Future[AuditResult]) -> None:
    """Show progress on stderr until the audit ends, and a hint if nothing changes for a while."""
    seen, since, hinted = "", monotonic(), False
    with output.progress() as bar:
        task = bar.add_task("Starting", total=None)
        if not output.shows_progress():
            output.complain(f"{handle.id} in the Temporal UI")
        while not (await asyncio.wait([result], timeout=_POLL_SECONDS))[0]:
            now = await _progress(handle)
            bar.update(task, description=now or seen or "Starting")
            if now and now != seen:
                seen, since, hinted = now, monotonic(), False
                if not output.shows_progress():
                    output.complain(now)
            elif monotonic() - since > _STILL_SECONDS and not hinted:
                hinted = True
                output.complain(f"still running, or no worker runs: see {handle.id} in the Temporal UI")


async def _progress(handle: WorkflowHandle[Any, AuditResult]) -> str:
    """Return the audit's current step, or "" while no worker answers."""
    try:
        step: str = await handle.query(Queries.PROGRESS, result_type=str, rpc_timeout=_ANSWER)
    except RPCError:
        return ""
    return step
