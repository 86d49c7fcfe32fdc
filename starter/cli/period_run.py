"""Starting a period's workflow, and watching it until only people are awaited."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from billing.money import format_amount
from contracts import search_attributes, workflow_ids
from contracts.names import BILLING_QUEUE, Queries, Workflows
from contracts.periods import PeriodInput, PeriodOutcome
from starter.cli import common
from starter.client import connect
from storage import periods
from storage.database import Database
from storage.periods import Progress as PeriodProgress

_POLL_SECONDS = 0.5


async def start_period(period: str, attribution_id: str | None) -> WorkflowHandle[Any, PeriodOutcome]:
    """Start the period's workflow, or take the one that runs: a person and the schedule never run it twice."""
    client = await connect()
    whose = f" of {attribution_id}" if attribution_id else ""
    return await client.start_workflow(
        Workflows.BILLING_PERIOD,
        PeriodInput(period=period, attribution_id=attribution_id),
        id=workflow_ids.billing_period(period, attribution_id),
        task_queue=BILLING_QUEUE,
        result_type=PeriodOutcome,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Billing period {period}{whose}",
        static_details=f"`perdure period status {period}` shows its invoices, what is blocked and what is excluded.",
        search_attributes=TypedSearchAttributes([SearchAttributePair(search_attributes.BILLING_PERIOD, period)]),
    )


async def wait_for_period(
    handle: WorkflowHandle[Any, PeriodOutcome],
    db: Database,
    period: str,
    attribution_id: str | None,
    *,
    as_json: bool = False,
) -> int:
    """Show progress until the period is settled, or until all that is open waits for an operator.

    Returns:
        The exit status: 0 when it is settled, 1 when something waits for an operator or the run failed.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=common.err, transient=True) as bar:
        task = bar.add_task(f"{period}: claiming usage", total=None)
        while True:
            progress = await periods.period_progress(db, period, attribution_id)
            total = sum(progress.counts.values())
            done = total - progress.open
            bar.update(task, total=total or None, completed=done, description=f"{period}: {_states(progress)}")
            running = (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
            if not running or await _only_people_awaited(handle, progress):
                break
            await asyncio.sleep(_POLL_SECONDS)
    if running:
        _report(period, progress, as_json=as_json)
        common.err.print(
            f"perdure: {progress.blocked_count} invoices wait for an operator: mend the cause, then "
            "`perdure invoices retry KEY`; the run goes on by itself",
            markup=False,
        )
        return 1
    try:
        await handle.result()
    except WorkflowFailureError as error:
        raise common.CommandError(f"{handle.id} failed: {error.cause}") from error
    _report(period, progress, as_json=as_json)
    if progress.blocked_accounts:
        common.err.print(
            f"perdure: {progress.blocked_accounts} accounts could not be priced: mend the rate card, restart the "
            "billing worker, and run the period again"
        )
        return 1
    return 0


async def _only_people_awaited(handle: WorkflowHandle[Any, PeriodOutcome], progress: PeriodProgress) -> bool:
    if not progress.open or progress.open != progress.blocked_count:
        return False
    try:
        phase: str = await handle.query(Queries.PHASE, result_type=str)
    except RPCError:
        return False
    return phase == "settling"


def _states(progress: PeriodProgress) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(progress.counts.items())) or "claiming usage"


def _report(period: str, progress: PeriodProgress, *, as_json: bool) -> None:
    if as_json:
        common.print_json(
            {
                "billing_period": period,
                "open": progress.open,
                "counts": progress.counts,
                "totals": progress.totals,
                "blocked": [
                    {"key": b.subject, "reason": b.reason, "since": b.since.isoformat()} for b in progress.blocked
                ],
            }
        )
        return
    for state, count in sorted(progress.counts.items()):
        amounts = ", ".join(format_amount(t, c) for c, t in sorted(progress.totals.get(state, {}).items()))
        common.out.print(f"{count} {state}: {amounts}")
    for blocked in progress.blocked:
        common.out.print(f"blocked: {blocked.subject}: {blocked.reason}", markup=False)
    if not progress.counts:
        common.out.print(f"{period}: nothing to bill.")
