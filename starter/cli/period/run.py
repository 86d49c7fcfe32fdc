"""Watch a period's workflow until it ends or waits only for people."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from billing.money import format_amount
from billing.report.canonical import format_instant
from billing.text import plural
from contracts.messages.periods import PeriodResult
from contracts.messages.sources import FetchState
from contracts.names import Queries
from starter.cli import common, output, states
from starter.cli.period import fetching as fetched
from starter.cli.steps.asking import failing_in
from starter.cli.steps.watching import FailureWatch
from storage.accounts import policies
from storage.periods import periods
from storage.periods.periods import Progress as PeriodProgress
from storage.postgres.database import Database

_POLL_SECONDS = 0.5
_STILL_SECONDS = 30.0


async def wait_for_period(
    client: Client,
    handle: WorkflowHandle[Any, PeriodResult],
    db: Database,
    period: str,
    attribution_id: str | None,
    *,
    as_json: bool = False,
) -> int:
    """Show progress until the period is settled, or every open invoice waits for an operator.

    Returns:
        The exit status: 0 if the period is settled, 3 if an invoice waits for an operator or an account could not be
        priced.

    Raises:
        CommandError: the run failed, or a limit or a source holds the period.
    """
    progress, running = await _watch(handle, client, db, period, attribution_id)
    fetch = await fetched.fetched_by(handle)
    if running:
        _report(period, progress, fetch, as_json=as_json)
        waiting = progress.blocked_count + progress.awaiting_approval
        output.complain(
            f"perdure: waiting for an operator: {plural(waiting, 'invoice')}. Fix the cause, then run "
            "`perdure invoices retry KEY` or `perdure invoices approve KEY`; the period's run continues by itself"
        )
        return common.ExitStatus.PERSON
    try:
        await handle.result()
    except WorkflowFailureError as error:
        raise common.CommandError(f"{handle.id} failed: {error.cause}") from error
    _report(period, progress, fetch, as_json=as_json)
    if progress.blocked_accounts:
        output.complain(
            f"perdure: {plural(progress.blocked_accounts, 'account')} not billed in full, for the reasons above: "
            "fix the causes, then run the period again"
        )
        return common.ExitStatus.PERSON
    return common.ExitStatus.DONE


async def _watch(
    handle: WorkflowHandle[Any, PeriodResult], client: Client, db: Database, period: str, attribution_id: str | None
) -> tuple[PeriodProgress, bool]:
    """Wait until the period's workflow ends or waits only for people. Returns the progress, and whether it still runs.

    Raises:
        CommandError: a limit or a source holds the period.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with output.progress(*columns) as bar:
        watch = _Watch(bar, bar.add_task(f"{period}: claiming usage", total=None), period)
        failures = FailureWatch(period, lambda: failing_in(db, client, period))
        fetching = True
        while True:
            progress = await periods.period_progress(db, period, attribution_id)
            fetch = await fetched.fetch_state(handle) if fetching else None
            fetching = fetch is not None or not progress.counts
            watch.show(progress, fetch, await failures.look())
            if fetch is not None:
                fetched.refuse_held(period, fetch, attribution_id)
            hold = await policies.read_hold(db, period)
            if hold is not None and hold.reason is not None:
                raise common.CommandError(
                    f"{period} is held: {hold.reason}; release it with `perdure period approve {period}`",
                    common.ExitStatus.PERSON,
                )
            running = (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
            if not running or await _only_people_awaited(handle, progress):
                return progress, running
            await asyncio.sleep(_POLL_SECONDS)


class _Watch:
    """Shows progress as a bar, or as lines where there is no terminal, and says so when nothing moves."""

    def __init__(self, bar: Progress, task: TaskID, period: str) -> None:
        self._bar, self._task, self._period = bar, task, period
        self._seen = ""
        self._moved_at = monotonic()
        self._hinted = False

    def show(self, progress: PeriodProgress, fetch: FetchState | None, fails: str) -> None:
        """Show the period's progress, or what it fetches before that, and in a few words what `fails`."""
        counts = _counts(progress) if fetch is None else fetched.summary(fetch)
        total = sum(progress.counts.values())
        self._bar.update(
            self._task,
            total=total or None,
            completed=total - progress.open,
            description=f"{self._period}: {counts}" + (f" (waiting: {fails})" if fails else ""),
        )
        if fails:
            self._moved_at = monotonic()  # what fails is said, so silence needs no hint
        if counts != self._seen:
            self._seen, self._moved_at, self._hinted = counts, monotonic(), False
            if not output.shows_progress():
                output.complain(f"{self._period}: {counts}")
        elif monotonic() - self._moved_at > _STILL_SECONDS and not self._hinted:
            self._hinted = True
            output.complain(
                f"{self._period}: no progress for {_STILL_SECONDS:.0f} s, although no step fails: if Stripe's webhook "
                "is late, Stripe is asked after FINALIZATION_POLL_SECONDS; `perdure invoices list` shows the invoices"
            )


async def _only_people_awaited(handle: WorkflowHandle[Any, PeriodResult], progress: PeriodProgress) -> bool:
    if not progress.open or progress.open != progress.blocked_count + progress.awaiting_approval:
        return False
    try:
        phase: str = await handle.query(Queries.PHASE, result_type=str)
    except RPCError:
        return False
    return phase == "settling"


def _counts(progress: PeriodProgress) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(progress.counts.items())) or "claiming usage"


def _report(period: str, progress: PeriodProgress, fetch: FetchState | None, *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            {
                "billing_period": period,
                "open": progress.open,
                "counts": progress.counts,
                "totals": progress.totals,
                "fetched": fetched.documents(fetch),
                "blocked": [
                    {"key": b.subject, "reason": b.reason, "since": format_instant(b.since)} for b in progress.blocked
                ],
            }
        )
        return
    for source in fetch.sources if fetch else ():
        output.say(fetched.describe_read(source))
    for state, count in sorted(progress.counts.items()):
        amounts = ", ".join(format_amount(t, c) for c, t in sorted(progress.totals.get(state, {}).items()))
        output.say(f"{count} {state}: {amounts}")
    states.print_note(progress.counts)
    for blocked in progress.blocked:
        output.say(f"waiting: {blocked.subject}: {blocked.reason}")
    if not progress.counts:
        output.say(f"{period}: nothing to bill.")
