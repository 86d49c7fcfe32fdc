"""What operators do with schedules: pause, resume, run now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from billing.errors import InputError
from billing.periods import BillingPeriod
from contracts import workflow_ids
from starter.acting.plans import Plan, totals
from starter.console.acting.action import ActResult, Given, Proposal, record
from starter.console.services import ConsoleServices
from starter.words.times import when_and_ago
from storage.accounts import policies
from storage.decisions.trail import DecisionKind
from temporal import schedules
from temporal.schedules import ScheduleState

_PAGE = "/schedules"
_PATIENCE_SECONDS = 4.0
_MONTHLY = workflow_ids.MONTHLY_SCHEDULE


class Pause:
    """Pause a schedule."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what a pause does."""
        state = await _state(at, given)
        effects = "It does not run until somebody resumes it."
        if state.id == _MONTHLY:
            effects = "No month is billed by itself until somebody resumes it; then the months that it missed are."
        return Proposal(Plan(f"Pause {state.id}", _facts(state), effects), "Pause the schedule", _PAGE, "required")

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Pause it in Temporal."""
        state = await _state(at, given)
        await record(at, given, DecisionKind.PAUSE, state.id)
        await schedules.pause_schedule(at.temporal, given.reason, state.id)
        await _until(at, state.id, lambda now: now.paused)
        return ActResult(f"{state.id} is paused by {given.by}.", _PAGE)


class Resume:
    """Resume a schedule."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what resuming does."""
        state = await _state(at, given)
        effects = "It runs again when its time comes."
        if state.id == _MONTHLY:
            effects = "It bills the months that it has missed, at once, and then each month when its time comes."
        return Proposal(Plan(f"Resume {state.id}", _facts(state), effects), "Resume the schedule", _PAGE)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Resume it in Temporal."""
        state = await _state(at, given)
        await record(at, given, DecisionKind.RESUME, state.id)
        await schedules.resume_schedule(at.temporal, state.id)
        await _until(at, state.id, lambda now: not now.paused)
        return ActResult(f"{state.id} is resumed by {given.by}.", _PAGE)


class TriggerNow:
    """Run a schedule now. The monthly one bills the period that ended last."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what the run does."""
        state = await _state(at, given)
        if state.id != _MONTHLY:
            return Proposal(Plan(f"Run {state.id} now", _facts(state), "It charges nobody."), "Run it now", _PAGE)
        period = _last(at)
        billed = await policies.period_totals(at.db, str(period), str(period))
        facts = [
            ("Period", f"{period}, ended {when_and_ago(period.end(at.settings.zone))}"),
            ("So far", totals((each.currency, each.amount) for each in billed)),
        ]
        effects = "Bills all accounts: invoices are finalized and charged, unless one waits for a person."
        return Proposal(Plan(f"Run {state.id} now", facts, effects), f"Run {period} now", _PAGE, "required")

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Trigger it in Temporal."""
        before = await _state(at, given)
        period = str(_last(at))
        subject = period if before.id == _MONTHLY else before.id
        await record(at, given, DecisionKind.TRIGGER, subject)
        await schedules.trigger_schedule(at.temporal, before.id)
        await _until(at, before.id, lambda now: now.recent_runs != before.recent_runs)
        to = f"/periods/{period}" if before.id == _MONTHLY else _PAGE
        return ActResult(f"{before.id} is run by {given.by}. It is under way.", to, "note")


async def _state(at: ConsoleServices, given: Given) -> ScheduleState:
    if given.subject not in workflow_ids.SCHEDULES:
        raise InputError(f"there is no schedule {given.subject!r}")
    return await schedules.schedule_state(at.temporal, given.subject)


def _facts(state: ScheduleState) -> list[tuple[str, str]]:
    following = next(iter(state.next_runs), None)
    facts = [("State", "paused" if state.paused else "active")]
    if state.remark:
        facts.append(("Note", state.remark))
    return [*facts, ("Next run", "none while it is paused" if state.paused else when_and_ago(following))]


def _last(at: ConsoleServices) -> BillingPeriod:
    return BillingPeriod.last_ended(datetime.now(UTC), at.settings.zone)


async def _until(at: ConsoleServices, name: str, reached: Callable[[ScheduleState], bool]) -> None:
    """Wait until the schedule shows a change: Temporal applies it a moment after it has accepted it."""
    give_up = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < give_up:
        if reached(await schedules.schedule_state(at.temporal, name)):
            return
        await asyncio.sleep(0.1)
