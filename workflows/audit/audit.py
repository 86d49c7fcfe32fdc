"""The audit: every invariant proved or refuted, from Postgres, the report store and Stripe."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from billing.audit.checks import DATABASE_CHECKS, Check
    from contracts.messages.audit import (
        AuditInput,
        AuditOutcome,
        AuditPage,
        AuditPlan,
        AuditRef,
        AuditState,
        CheckNotMade,
        CheckOrder,
        CheckOutcome,
        ChecksMade,
        PageAudited,
        RecordCheck,
    )
    from contracts.names import Activities, Queries, Workflows
    from workflows.audit.details import table
    from workflows.audit.steps import audit_step, reason_of
    from workflows.audit.stripe import StripeAudit
    from workflows.steps import billing_step, clock

NOT_CLEAN = "AuditNotClean"
"""The type of the failure with which an audit ends that found something. Its detail is the `AuditOutcome`."""


@workflow.defn(name=Workflows.AUDIT)
class AuditWorkflow(StripeAudit):
    """Makes all checks, one after the other; a check that fails for good is told as not made, the others go on.

    It ends failed when anything was found or not made, so that whoever watches for failed workflows is told. Findings
    are rows in Postgres under the audit's id, which is the id of its first run; payloads hold figures alone.
    """

    @workflow.init
    def __init__(self, order: AuditInput) -> None:
        super().__init__(order.state or AuditState(audit_id=workflow.info().run_id, phase="begin"))
        self._order = order
        self._doing = "Beginning"
        self._ref = AuditRef(
            audit_id=self._state.audit_id,
            period=order.period,
            attribution_id=order.attribution_id,
            stuck_after=order.stuck_after,
        )

    @workflow.query(name=Queries.PROGRESS, description="What the audit does now.")
    def progress(self) -> str:
        """In one line."""
        return self._doing

    @workflow.run
    async def run(self, order: AuditInput) -> AuditOutcome:
        """Make all checks.

        Raises:
            ApplicationError: something was found, or a check could not be made; the outcome is its detail.
        """
        phases = {
            "begin": self._begin,
            "database": self._database,
            "reports": self._reports,
            "invoices": self._invoices,
            "suspects": self._suspects,
            "credit_notes": self._credit_notes,
            "note_suspects": self._note_suspects,
        }
        while self._state.phase != "finish":
            self._say()
            await phases[self._state.phase]()
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._order.model_copy(update={"state": self._state}))
        return await self._finish()

    async def _begin(self) -> None:
        plan = await billing_step(Activities.BEGIN_AUDIT, self._ref, AuditPlan, "Open the audit")
        self._order = self._order.model_copy(update={"stuck_after": plan.stuck_after})
        self._ref = self._ref.model_copy(update={"stuck_after": plan.stuck_after})
        self._go_to("database", page=plan.page, listed=plan.page)

    async def _database(self) -> None:
        await asyncio.gather(*(self._database_check(check) for check in DATABASE_CHECKS))
        self._go_to("reports")

    async def _database_check(self, check: Check) -> None:
        order = CheckOrder(audit=self._ref, check=check)
        try:
            self._made(await audit_step(Activities.CHECK_DATABASE, order, CheckOutcome, f"Check: {check}"))
        except ActivityError as error:
            await self._not_made([check], reason_of(error))

    async def _reports(self) -> None:
        """One page; the phase ends with the last."""
        page = AuditPage(audit=self._ref, after=self._state.after)
        try:
            done = await audit_step(
                Activities.CHECK_REPORTS, page, PageAudited, f"Check the reports after {page.after or 'the first'}"
            )
        except ActivityError as error:
            await self._not_made([Check.REPORTS], reason_of(error))
            self._go_to("invoices")
            return
        self._count(done.figures)
        if done.through is not None:
            self._set(after=done.through)
            return
        await self._record({Check.REPORTS: self._state.figures})
        self._go_to("invoices")

    async def _record(self, figures: dict[Check, dict[str, int]]) -> None:
        record = RecordCheck(audit=self._ref, figures={str(check): counts for check, counts in figures.items()})
        made = await billing_step(Activities.RECORD_CHECKS, record, ChecksMade, f"Record {', '.join(record.figures)}")
        for outcome in made.checks:
            self._made(outcome)

    async def _not_made(self, checks: list[Check] | tuple[Check, ...], reason: str) -> None:
        for check in checks:
            workflow.logger.error("audit %s: %s cannot be made: %s", self._ref.audit_id, check, reason)
            failed = CheckNotMade(audit=self._ref, check=check, reason=reason)
            self._made(
                await billing_step(Activities.CHECK_NOT_MADE, failed, CheckOutcome, f"Record that {check} is not made")
            )
            self._set(not_made={**self._state.not_made, str(check): reason})

    def _made(self, outcome: CheckOutcome) -> None:
        others = [each for each in self._state.checks if each.check != outcome.check]
        self._set(checks=[*others, outcome])
        self._say()

    async def _finish(self) -> AuditOutcome:
        found = await billing_step(Activities.FINISH_AUDIT, self._ref, AuditOutcome, "Close the audit")
        outcome = found.model_copy(update={"not_made": self._state.not_made})
        self._set(checks=outcome.checks)
        self._doing = f"Ended at {clock()}"
        workflow.set_current_details(table(self._doing, self._ref, self._state, ended=True))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not outcome.clean:
            told = ", ".join(f"{made.check}: {made.discrepancies}" for made in outcome.checks if made.discrepancies)
            raise ApplicationError(
                f"{outcome.discrepancies} discrepancies ({told})", outcome, type=NOT_CLEAN, non_retryable=True
            )
        return outcome

    def _say(self) -> None:
        self._doing = self._words()
        workflow.set_current_details(table(f"{self._doing}, as of {clock()}", self._ref, self._state))
