"""One billing period."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
)
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from billing.money import format_amount
    from billing.text import plural
    from contracts import retries, workflow_ids
    from contracts.messages.invoices import InvoiceRef
    from contracts.messages.periods import (
        ApprovePeriod,
        BatchInput,
        BatchResult,
        Page,
        PagePlan,
        PeriodInput,
        PeriodProgress,
        PeriodRef,
        PeriodResult,
        PlanPages,
    )
    from contracts.names import BILLING_QUEUE, Activities, Queries, Signals, Updates, Workflows
    from workflows.steps import billing_step, clock, in_utc, local_step, period_search_attributes, show

_PARALLEL_BATCHES = 2
_PAGES_A_PLAN = 20
_PAST_THE_LAST = "\U0010ffff"  # sorts after every attribution id: nothing is claimed, only awaited


@workflow.defn(name=Workflows.BILLING_PERIOD)
class BillingPeriodWorkflow:
    """Runs the period's batches, waits until every invoice is settled, writes the summary.

    Running it again bills what is still unbilled and continues with invoices that are not settled.
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
        self._again = False
        self._approved = False
        self._phase = ""

    @workflow.query(name=Queries.PHASE, description="`held` by a limit, `billing` while batches run, then `settling`.")
    def phase(self) -> str:
        """Return the run's phase."""
        return self._phase or "billing"

    @workflow.signal(name=Signals.RECHECK, description="A waiting invoice has moved: count the open invoices again.")
    def recheck(self, invoice: InvoiceRef) -> None:
        """Count again before the timer fires."""
        self._recheck = True

    @workflow.signal(name=Signals.RUN_AGAIN, description="Bill what is unbilled now, then wait again.")
    def run_again(self) -> None:
        """Go over the accounts once more. Before the first page is planned there is nothing to repeat."""
        self._again = self._phase != ""

    @workflow.update(name=Updates.APPROVE, description="Release a period that a limit holds.")
    async def approve(self, approval: ApprovePeriod) -> PeriodRef:
        """Release the period, at the totals that a person has seen.

        Raises:
            ApplicationError: the period is not held, or its totals are different now.
        """
        approved = await local_step(Activities.APPROVE_PERIOD, approval, PeriodRef, f"Approved by {approval.by}")
        self._approved = True
        return approved

    @approve.validator
    def _validate_approval(self, approval: ApprovePeriod) -> None:
        if approval.period != self._period.period or not approval.by.strip():
            raise ValueError("name the person who approves, and this period")

    @workflow.run
    async def run(self, period: PeriodInput) -> PeriodResult:
        """Bill the period; return the totals when every invoice is settled.

        Raises:
            ApplicationError: a batch did not finish.
        """
        after = period.after
        while True:
            self._again = False
            await self._run_batches(after)
            result = await self._settle()
            # Await nothing between this check and the end: a signal in between would be lost.
            if result is not None and not self._again:
                return self._finish(result)
            after = ""

    async def _run_batches(self, after: str) -> None:
        more = True
        while more:
            show(f"Reading the accounts {f'after `{after}`' if after else 'from the first'} since {clock()}.")
            plan = await billing_step(
                Activities.PLAN_PAGES,
                PlanPages(
                    period=self._period.period,
                    attribution_id=self._period.attribution_id,
                    after=after,
                    most=_PAGES_A_PLAN,
                ),
                PagePlan,
                "Read the next pages of accounts",
            )
            if plan.held is not None:
                await self._await_approval(plan.held)
                continue
            self._phase = "billing"
            for page in plan.pages:
                await workflow.wait_condition(lambda: len(self._active) < _PARALLEL_BATCHES)
                await self._start_batch(page)
                after = page.through
            more = plan.more
            if more and workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new(after)
        await workflow.wait_condition(lambda: not self._active)

    async def _await_approval(self, reason: str) -> None:
        """Wait for a person: a limit holds the whole period, before any of it is claimed."""
        show(
            f"**Held** since {clock()}: {reason}\n\nNothing is claimed yet. `perdure period approve "
            f"{self._period.period}` releases it."
        )
        self._phase = "held"
        if workflow.info().is_continue_as_new_suggested():
            await self._continue_as_new("")
        try:
            await workflow.wait_condition(
                lambda: self._approved or self._again,
                timeout=retries.HELD_PERIOD_WEIGHED_AFTER,
                timeout_summary="Compare the period with its limits again",
            )
        except TimeoutError:
            workflow.logger.info("%s is held: comparing it with its limits again", self._period.period)
        self._again = self._approved = False

    async def _continue_as_new(self, after: str) -> None:
        await workflow.wait_condition(lambda: not self._active)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._period.model_copy(
                update={
                    "after": "" if self._again else after,
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
                result_type=BatchResult,
                parent_close_policy=ParentClosePolicy.TERMINATE,
                static_summary=f"{self._period.period}, batch {number}: accounts up to {page.through}",
                search_attributes=period_search_attributes(self._period.period),
            )
        except WorkflowAlreadyStartedError:
            self._active.discard(number)
            self._failed.append(f"batch {number}: the same batch of an earlier run is still running")
            return
        self._report()
        self._awaiting.append(asyncio.create_task(self._await_batch(number, batch)))

    async def _await_batch(self, number: int, batch: workflow.ChildWorkflowHandle[object, BatchResult]) -> None:
        try:
            result = await batch
            self._invoices += result.invoices
        except ChildWorkflowError as error:
            self._failed.append(f"batch {number}: {error.cause or error}")
        # No `finally`: it would also run when the workflow is evicted from memory, outside of its event loop.
        self._active.discard(number)
        self._report()

    def _report(self) -> None:
        done = self._batches - len(self._active)
        running = ", ".join(f"`{number:04d}`" for number in sorted(self._active))
        show(
            f"{done:,} of {plural(self._batches, 'started batch', 'started batches')} done, "
            f"{plural(self._invoices, 'invoice')} driven. "
            + (f"Waiting for batch {running}. " if running else "")
            + f"As of {clock()}."
        )

    async def _settle(self) -> PeriodResult | None:
        """Poll Postgres until no invoice of the period is open. Returns None if the period is to run again."""
        self._phase = "settling"
        await self._tell_schedule()
        wait = retries.PROGRESS_POLL_FIRST
        while True:
            self._recheck = False
            ref = PeriodRef(period=self._period.period, attribution_id=self._period.attribution_id)
            progress = await local_step(Activities.PERIOD_PROGRESS, ref, PeriodProgress)
            if not progress.open:
                break
            show(_waiting_for(progress))
            if self._again:
                return None
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new(_PAST_THE_LAST)
            try:
                await workflow.wait_condition(
                    lambda: self._recheck or self._again, timeout=wait, timeout_summary="Count the open invoices again"
                )
                wait = retries.PROGRESS_POLL_FIRST
            except TimeoutError:
                wait = min(wait * 2, retries.PROGRESS_POLL_LONGEST)
        result = PeriodResult(
            period=self._period.period, batches=self._batches, invoices=self._invoices, progress=progress
        )
        if self._period.attribution_id is None:
            await local_step(Activities.WRITE_PERIOD_SUMMARY, result, PeriodResult)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    async def _tell_schedule(self) -> None:
        """Signal the schedule's action, if it started this run: it can start the next month."""
        parent = workflow.info().parent
        if parent is None:
            return
        try:
            await workflow.get_external_workflow_handle(parent.workflow_id).signal(Signals.PERIOD_CLAIMED)
        except FailureError:
            workflow.logger.info("%s is no longer waiting", parent.workflow_id)

    def _finish(self, result: PeriodResult) -> PeriodResult:
        show(_summary(result, self._failed))
        if self._failed:
            raise ApplicationError(
                f"some batches did not finish, run the period again: {'; '.join(self._failed)}", type="BatchFailed"
            )
        return result


def _waiting_for(progress: PeriodProgress) -> str:
    since = f" since {in_utc(progress.oldest_open_since)}" if progress.oldest_open_since else ""
    text = f"Waiting{since} for {plural(progress.open, 'open invoice')}, {progress.blocked:,} blocked."
    if progress.waiting:
        rows = [f"- `{b.subject}` since {b.since:%Y-%m-%d %H:%M UTC}: {b.reason}" for b in progress.waiting[:20]]
        text += "\n\n`perdure invoices show KEY` says what each needs; the run continues by itself:\n" + "\n".join(rows)
    return text


def _summary(result: PeriodResult, failed: list[str]) -> str:
    totals = [
        f"{count:,} {state}"
        + "".join(f", {format_amount(t, c)}" for c, t in sorted(result.progress.totals.get(state, {}).items()))
        for state, count in sorted(result.progress.counts.items())
    ]
    text = f"Settled at {clock()}: {'; '.join(totals) or 'no invoices'}."
    if result.progress.below_minimum:
        text += f" Carried over: {plural(result.progress.below_minimum, 'account')} below the minimum charge."
    if result.progress.blocked_accounts:
        rows = [f"- `{b.subject}`: {b.reason}" for b in result.progress.waiting[:20]]
        text += (
            f"\n\n**{plural(result.progress.blocked_accounts, 'account')} not billed in full**: fix the rate card "
            f"or the usage, then `perdure period run {result.period}`:\n" + "\n".join(rows)
        )
    return text + ("\n\n**Not finished:** " + "; ".join(failed) if failed else "")
