"""The audit: proves or refutes every invariant, from Postgres, the report store and Stripe."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from billing.audit.checks import DATABASE_CHECKS, Check
    from billing.text import plural
    from contracts.messages.audit import (
        AuditInput,
        AuditPage,
        AuditPhase,
        AuditPlan,
        AuditResult,
        CheckOrder,
        CheckResult,
        PageAudited,
    )
    from contracts.names import Activities, Queries, Workflows
    from workflows.audit.details import list_command, table
    from workflows.audit.steps import audit_step, reason_of
    from workflows.audit.stripe import StripeAudit
    from workflows.steps import billing_step, clock, continue_as_new_if_suggested, show

NOT_CLEAN = "AuditNotClean"
"""The failure type of an audit that found something. The failure's detail is the `AuditResult`."""


@workflow.defn(name=Workflows.AUDIT)
class AuditWorkflow(StripeAudit):
    """Makes all checks in turn. A check that fails permanently is reported as "not made", and the others continue.

    The audit ends as failed if anything was found or not made, so that monitoring of failed workflows reports it.
    Findings are rows in Postgres under the audit's id, which is the id of its first run; payloads hold only figures.
    """

    @workflow.init
    def __init__(self, order: AuditInput) -> None:
        super().__init__(order)

    @workflow.query(name=Queries.PROGRESS, description="What the audit is doing now.")
    def progress(self) -> str:
        """Return the current phase and its count, in one line."""
        return self._doing

    @workflow.run
    async def run(self, order: AuditInput) -> AuditResult:
        """Make all checks.

        Raises:
            ApplicationError: something was found, or a check could not be made; its detail is the result.
        """
        phases = {
            AuditPhase.BEGIN: self._begin,
            AuditPhase.DATABASE: self._database,
            AuditPhase.REPORTS: self._reports,
            AuditPhase.INVOICES: self._invoices,
            AuditPhase.SUSPECTS: self._suspects,
            AuditPhase.CREDIT_NOTES: self._credit_notes,
            AuditPhase.NOTE_SUSPECTS: self._note_suspects,
        }
        while self._state.phase is not AuditPhase.FINISH:
            self._say()
            await phases[self._state.phase]()
            await continue_as_new_if_suggested(self._order.model_copy(update={"state": self._state}))
        return await self._finish()

    async def _begin(self) -> None:
        plan = await billing_step(Activities.BEGIN_AUDIT, self._ref, AuditPlan, "Open the audit")
        self._order = self._order.model_copy(update={"stuck_after": plan.stuck_after})
        self._ref = self._ref.model_copy(update={"stuck_after": plan.stuck_after})
        self._go_to(AuditPhase.DATABASE, page=plan.page, listed=plan.page)

    async def _database(self) -> None:
        await asyncio.gather(*(self._database_check(check) for check in DATABASE_CHECKS))
        self._go_to(AuditPhase.REPORTS)

    async def _database_check(self, check: Check) -> None:
        order = CheckOrder(audit=self._ref, check=check)
        try:
            self._made(await audit_step(Activities.CHECK_DATABASE, order, CheckResult, f"Check: {check}"))
        except ActivityError as error:
            await self._not_made([check], reason_of(error))

    async def _reports(self) -> None:
        """Check one page of reports; the phase ends with the last page."""
        page = AuditPage(audit=self._ref, after=self._state.after)
        try:
            done = await audit_step(
                Activities.CHECK_REPORTS, page, PageAudited, f"Check usage reports after {page.after or 'the start'}"
            )
        except ActivityError as error:
            await self._not_made([Check.REPORTS], reason_of(error))
            self._go_to(AuditPhase.INVOICES)
            return
        self._count(done.figures)
        if done.through is not None:
            self._set(after=done.through)
            return
        await self._record({Check.REPORTS: self._state.figures})
        self._go_to(AuditPhase.INVOICES)

    async def _finish(self) -> AuditResult:
        closed = await billing_step(Activities.FINISH_AUDIT, self._ref, AuditResult, "Close the audit")
        result = closed.model_copy(update={"not_made": self._state.not_made})
        self._set(checks=result.checks)
        self._doing = f"Ended at {clock()}"
        show(table(self._doing, self._ref, self._state, ended=True))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not result.clean:
            found = plural(result.discrepancies, "discrepancy", "discrepancies")
            by_check = ", ".join(f"{made.check}: {made.discrepancies}" for made in result.checks if made.discrepancies)
            message = f"{found} ({by_check}): `{list_command(self._ref)}` lists them"
            raise ApplicationError(message, result, type=NOT_CLEAN, non_retryable=True)
        return result
