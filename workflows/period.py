"""One billing period, and the schedule's action that starts it."""

from __future__ import annotations

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from billing.money import format_amount
    from billing.periods import BillingPeriod, time_zone
    from contracts import retries, search_attributes, workflow_ids
    from contracts.invoices import InvoiceRef
    from contracts.names import BILLING_QUEUE, Activities, Queries, Signals, Workflows
    from contracts.periods import (
        BatchInput,
        BatchOutcome,
        Page,
        PagePlan,
        PeriodInput,
        PeriodOutcome,
        PeriodProgress,
        PeriodRef,
        PlanPages,
        ScheduledPeriodInput,
    )
    from workflows.steps import billing_step, clock, database_step

_PARALLEL_BATCHES = 2
_PAGES_A_PLAN = 20
_SCHEDULED_START = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


def period_search_attributes(period: str) -> TypedSearchAttributes:
    """What the workflows of a period are found by."""
    return TypedSearchAttributes([SearchAttributePair(search_attributes.BILLING_PERIOD, period)])


@workflow.defn(name=Workflows.BILLING_PERIOD)
class BillingPeriodWorkflow:
    """Runs the period's batches, waits until every invoice is settled, writes the summary.

    Running it again bills what is still unbilled and goes on with invoices that are not settled.
    """

    @workflow.init
    def __init__(self, run: PeriodInput) -> None:
        self._period = run
        self._batches = run.batches
        self._invoices = run.invoices
        self._failed = list(run.failed)
        self._active: set[int] = set()
        self._awaiting: list[asyncio.Task[None]] = []
        self._recheck = False
        self._phase = "billing"

    @workflow.query(name=Queries.PHASE, description="`billing` while batches run, then `settling`.")
    def phase(self) -> str:
        """What the run is at."""
        return self._phase

    @workflow.signal(name=Signals.RECHECK, description="An invoice that was waiting has moved: count again.")
    def recheck(self, invoice: InvoiceRef) -> None:
        """Count again before the timer says so."""
        self._recheck = True

    @workflow.run
    async def run(self, period: PeriodInput) -> PeriodOutcome:
        """Bill the period; returns the totals when every invoice is settled.

        Raises:
            ApplicationError: the period has not ended, or a batch was ended from outside.
        """
        after, more = period.after, True
        while more:
            workflow.set_current_details(f"Reading the accounts after `{after}`, since {clock()}.")
            plan = await billing_step(
                Activities.PLAN_PAGES,
                PlanPages(
                    period=period.period,
                    attribution_id=period.attribution_id,
                    after=after,
                    most=_PAGES_A_PLAN,
                ),
                PagePlan,
                "Read the next pages of accounts",
            )
            for page in plan.pages:
                await workflow.wait_condition(lambda: len(self._active) < _PARALLEL_BATCHES)
                await self._start_batch(page)
                after = page.through
            more = plan.more
            if more and workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new(after)
        await workflow.wait_condition(lambda: not self._active)
        return await self._settle()

    async def _continue_as_new(self, after: str) -> None:
        await workflow.wait_condition(lambda: not self._active)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._period.model_copy(
                update={
                    "after": after,
                    "batches": self._batches,
                    "invoices": self._invoices,
                    "failed": self._failed,
                }
            )
        )

    async def _start_batch(self, page: Page) -> None:
        self._batches += 1
        number = self._batches
        self._active.add(number)
        try:
            batch = await workflow.start_child_workflow(
                Workflows.BILLING_BATCH,
                BatchInput(
                    period=self._period.period,
                    number=number,
                    page=page,
                    attribution_id=self._period.attribution_id,
                ),
                id=workflow_ids.billing_batch(workflow.info().workflow_id, number),
                task_queue=BILLING_QUEUE,
                result_type=BatchOutcome,
                parent_close_policy=ParentClosePolicy.TERMINATE,
                static_summary=f"{self._period.period}, batch {number}: accounts up to {page.through}",
                search_attributes=period_search_attributes(self._period.period),
            )
        except WorkflowAlreadyStartedError:
            self._active.discard(number)
            self._failed.append(f"batch {number}: one of an earlier run is still running")
            return
        self._report()
        self._awaiting.append(asyncio.create_task(self._await_batch(number, batch)))

    async def _await_batch(self, number: int, batch: workflow.ChildWorkflowHandle[object, BatchOutcome]) -> None:
        try:
            outcome = await batch
            self._invoices += outcome.invoices
        except ChildWorkflowError as error:
            self._failed.append(f"batch {number}: {error.cause or error}")
        # No `finally`: it would also run when the workflow is evicted from memory, outside of its event loop.
        self._active.discard(number)
        self._report()

    def _report(self) -> None:
        done = self._batches - len(self._active)
        running = ", ".join(f"`{number:04d}`" for number in sorted(self._active))
        workflow.set_current_details(
            f"{done} of {self._batches} started batches done, {self._invoices} invoices driven. "
            + (f"Waiting for batch {running}. " if running else "")
            + f"As of {clock()}."
        )

    async def _settle(self) -> PeriodOutcome:
        """Wait, by asking Postgres, until nothing of the period is open."""
        self._phase = "settling"
        ref = PeriodRef(period=self._period.period, attribution_id=self._period.attribution_id)
        wait = retries.PROGRESS_POLL_FIRST
        while True:
            self._recheck = False
            progress = await database_step(Activities.PERIOD_PROGRESS, ref, PeriodProgress)
            if not progress.open:
                break
            workflow.set_current_details(_waiting_for(progress))
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new("\U0010ffff")
            try:
                await workflow.wait_condition(
                    lambda: self._recheck, timeout=wait, timeout_summary="Count the open invoices again"
                )
                wait = retries.PROGRESS_POLL_FIRST
            except TimeoutError:
                wait = min(wait * 2, retries.PROGRESS_POLL_LONGEST)
        outcome = PeriodOutcome(
            period=self._period.period, batches=self._batches, invoices=self._invoices, progress=progress
        )
        await database_step(Activities.WRITE_PERIOD_SUMMARY, outcome, PeriodOutcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.set_current_details(_summary(outcome, self._failed))
        if self._failed:
            raise ApplicationError(
                f"run the period again, some batches did not finish: {'; '.join(self._failed)}",
                type="BatchFailed",
            )
        return outcome


def _waiting_for(progress: PeriodProgress) -> str:
    since = f" since {progress.oldest_open_since:%Y-%m-%d %H:%M:%S UTC}" if progress.oldest_open_since else ""
    text = f"Waiting{since} for {progress.open} open invoices, {progress.blocked} of them blocked."
    if progress.waiting:
        rows = [f"- `{b.subject}` since {b.since:%Y-%m-%d %H:%M UTC}: {b.reason}" for b in progress.waiting[:20]]
        text += "\n\nBlocked, each goes on by `perdure invoices retry KEY`:\n" + "\n".join(rows)
    return text


def _summary(outcome: PeriodOutcome, failed: list[str]) -> str:
    totals = [
        f"{count} {state}"
        + "".join(f", {format_amount(t, c)}" for c, t in sorted(outcome.progress.totals.get(state, {}).items()))
        for state, count in sorted(outcome.progress.counts.items())
    ]
    text = f"Settled at {clock()}: {'; '.join(totals) or 'no invoices'}."
    if outcome.progress.below_minimum:
        text += f" {outcome.progress.below_minimum} accounts below the minimum charge are carried over."
    if outcome.progress.blocked_accounts:
        rows = [f"- `{b.subject}`: {b.reason}" for b in outcome.progress.waiting[:20]]
        text += (
            f"\n\n**{outcome.progress.blocked_accounts} accounts could not be priced**; mend the rate card and run "
            "the period again:\n" + "\n".join(rows)
        )
    return text + ("\n\n**Not finished:** " + "; ".join(failed) if failed else "")


@workflow.defn(name=Workflows.SCHEDULED_PERIOD)
class ScheduledPeriodWorkflow:
    """The monthly schedule's action: starts the period that had ended at the *scheduled* time.

    It exists because Temporal appends the time to the id of a scheduled workflow, while a period's id must be
    the same whoever starts it.
    """

    @workflow.run
    async def run(self, schedule: ScheduledPeriodInput) -> str:
        """Start `billing-period/<period>` unless it runs; returns the period."""
        scheduled = workflow.info().typed_search_attributes.get(_SCHEDULED_START)
        at: datetime = scheduled or workflow.info().start_time
        period = str(BillingPeriod.last_ended(at, time_zone(schedule.time_zone)))
        workflow.upsert_search_attributes([search_attributes.BILLING_PERIOD.value_set(period)])
        workflow.set_current_details(f"Scheduled for {at:%Y-%m-%d %H:%M UTC}: bills {period}.")
        try:
            await workflow.start_child_workflow(
                Workflows.BILLING_PERIOD,
                PeriodInput(period=period),
                id=workflow_ids.billing_period(period),
                task_queue=BILLING_QUEUE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"Billing period {period}",
                static_details=f"Started by the monthly schedule. `perdure period status {period}`",
                search_attributes=period_search_attributes(period),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the period %s is being billed already", period)
        return period
