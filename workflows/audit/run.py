"""The progress of an audit: its state, the checks that are made, and what the Temporal UI shows."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict, Unpack

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.audit.checks import Check
    from contracts.messages.audit import (
        AuditInput,
        AuditPhase,
        AuditRef,
        AuditState,
        CheckNotMade,
        CheckResult,
        ChecksMade,
        RecordCheck,
        StripePage,
    )
    from contracts.names import Activities
    from workflows import logged
    from workflows.audit.details import table
    from workflows.steps import billing_step, clock, show

_WORDS = {
    AuditPhase.BEGIN: "Starting",
    AuditPhase.DATABASE: "Checking Postgres",
    AuditPhase.REPORTS: "Checking usage reports: {reports:,} so far",
    AuditPhase.INVOICES: "Listing Stripe's invoices: {listed:,} so far",
    AuditPhase.SUSPECTS: "Refreshing Stripe's invoices that differ: {looked_at:,} so far",
    AuditPhase.CREDIT_NOTES: "Listing Stripe's credit notes: {listed:,} so far",
    AuditPhase.NOTE_SUSPECTS: "Refreshing credit notes that differ: {looked_at:,} so far",
}


class _Changes(TypedDict, total=False):
    """Fields of `AuditState` that a phase changes."""

    phase: AuditPhase
    page: StripePage | None
    listed: StripePage | None
    look_again_after: timedelta
    after: str
    figures: dict[str, int]
    looks: int
    checks: list[CheckResult]
    not_made: dict[str, str]


class _Pages(TypedDict, total=False):
    """The page at which Stripe's list continues, and its first page."""

    page: StripePage | None
    listed: StripePage | None


class AuditRun:
    """The state of an audit, which the next run of its workflow continues."""

    def __init__(self, order: AuditInput) -> None:
        self._order = order
        self._state = order.state or AuditState(audit_id=workflow.info().run_id)
        self._doing = "Starting"
        self._ref = AuditRef(
            audit_id=self._state.audit_id,
            period=order.period,
            attribution_id=order.attribution_id,
            stuck_after=order.stuck_after,
        )

    async def _record(self, figures: dict[Check, dict[str, int]]) -> None:
        record = RecordCheck(audit=self._ref, figures={str(check): counts for check, counts in figures.items()})
        made = await billing_step(Activities.RECORD_CHECKS, record, ChecksMade, f"Record {', '.join(record.figures)}")
        for result in made.checks:
            self._made(result)

    async def _not_made(self, checks: list[Check] | tuple[Check, ...], reason: str) -> None:
        for check in checks:
            logged.check_not_made(self._ref.audit_id, str(check), reason)
            failed = CheckNotMade(audit=self._ref, check=check, reason=reason)
            self._made(
                await billing_step(Activities.CHECK_NOT_MADE, failed, CheckResult, f"Record {check} as not made")
            )
            self._set(not_made={**self._state.not_made, str(check): reason})

    def _made(self, result: CheckResult) -> None:
        others = [each for each in self._state.checks if each.check != result.check]
        self._set(checks=[*others, result])
        self._say()

    def _count(self, figures: dict[str, int]) -> None:
        counted = dict(self._state.figures)
        for name, count in figures.items():
            counted[name] = counted.get(name, 0) + count
        self._set(figures=counted)

    def _go_to(self, phase: AuditPhase, **pages: Unpack[_Pages]) -> None:
        self._set(phase=phase, after="", figures={}, looks=0, **pages)

    def _set(self, **changes: Unpack[_Changes]) -> None:
        self._state = self._state.model_copy(update=dict(changes))

    def _say(self) -> None:
        counts = {name: self._state.figures.get(name, 0) for name in ("reports", "listed", "looked_at")}
        self._doing = _WORDS[self._state.phase].format(**counts)
        show(table(f"{self._doing}, as of {clock()}", self._ref, self._state))
