"""One billing period."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    FailureError,
)

with workflow.unsafe.imports_passed_through():
    from contracts import retries
    from contracts.messages.invoices import InvoiceRef
    from contracts.messages.periods import (
        ApprovePeriod,
        CustomersPlan,
        PagePlan,
        PeriodInput,
        PeriodProgress,
        PeriodRef,
        PeriodResult,
        PlanPages,
    )
    from contracts.messages.sources import FetchState, PlanFetch
    from contracts.names import Activities, Queries, Signals, Updates, Workflows
    from workflows import logged
    from workflows.periods.batches import Batches
    from workflows.periods.details import fetching, sources_of, summary_of, waiting_for
    from workflows.sources.fetching import Fetch
    from workflows.steps import billing_step, clock, local_step, show
    from workflows.stripe_sync.customers import list_customers_if_many

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
        self._batches = Batches(run)
        self._recheck = False
        self._again = False
        self._approved = False
        self._phase = ""
        self._fetch: Fetch | None = None
        self._without = list(run.without_sources)
        self._customers_cursor = run.customers_cursor

    @workflow.query(name=Queries.PHASE, description="`fetching`, `held`, `billing` while batches run, then `settling`.")
    def phase(self) -> str:
        """Return the run's phase."""
        return self._phase or "billing"

    @workflow.query(name=Queries.FETCH, description="What was fetched before billing, and which sources are awaited.")
    def fetched(self) -> FetchState:
        """Return the state of the fetch."""
        return self._fetch.state if self._fetch else FetchState()

    @workflow.signal(name=Signals.RECHECK, description="A waiting invoice has moved: count the open invoices again.")
    def recheck(self, invoice: InvoiceRef) -> None:
        """Count again before the timer fires."""
        self._recheck = True

    @workflow.signal(name=Signals.RUN_AGAIN, description="Bill what is unbilled now, then wait again.")
    def run_again(self) -> None:
        """Go over the accounts once more. Before the first page is planned there is nothing to repeat."""
        self._again = self._phase != ""

    @workflow.update(
        name=Updates.APPROVE, description="Release a period that a limit holds, or that waits for a source."
    )
    async def approve(self, approval: ApprovePeriod) -> PeriodRef:
        """Release the period, at the totals that a person has seen or without a source that it waits for.

        Raises:
            ApplicationError: the period is not held, or its totals are different now.
        """
        if approval.without_source is not None and self._fetch is not None:
            self._without.append(approval.without_source)
            self._fetch.skip(approval.without_source)
            logged.period_approved(approval)
            return PeriodRef(period=approval.period)
        approved = await local_step(Activities.APPROVE_PERIOD, approval, PeriodRef, f"Approved by {approval.by}")
        logged.period_approved(approval)
        self._approved = True
        return approved

    @approve.validator
    def _validate_approval(self, approval: ApprovePeriod) -> None:
        if approval.period != self._period.period or not approval.by.strip():
            raise ValueError("name the person who approves, and this period")
        awaited = self._fetch.awaited if self._fetch else []
        if approval.without_source is not None and approval.without_source not in awaited:
            raise ValueError(
                f"the run does not wait for {approval.without_source}"
                + (f": it waits for {', '.join(awaited)}" if awaited else "")
            )

    @workflow.run
    async def run(self, period: PeriodInput) -> PeriodResult:
        """Bill the period; return the totals when every invoice is settled.

        Raises:
            ApplicationError: a batch did not finish.
        """
        after = period.after
        logged.period_started(period)
        while True:
            self._again = False
            if not after and self._customers_cursor is None:
                await self._run_fetch()
            await self._run_batches(after)
            result = await self._settle()
            # Await nothing between this check and the end: a signal in between would be lost.
            if result is not None and not self._again:
                return self._finish(result)
            after = ""

    async def _run_fetch(self) -> None:
        """Fetch the usage first. A person's decision not to wait for a source holds for this run of the workflow."""
        if not workflow.patched("fetch"):
            return
        began = self._period.fetch_began if self._fetch is None else None
        self._fetch = fetch = Fetch(workflow.info().workflow_id, began, self._show_fetch)
        self._phase = "fetching"
        fetched = await fetch.run(
            PlanFetch(period=self._period.period),
            skipped=self._without,
            stopped=workflow.info().is_continue_as_new_suggested,
        )
        if not fetched:
            await self._continue_as_new("", began=fetch.began)

    def _enter(self, phase: str, why: str = "") -> None:
        logged.phase_changed(self._period, self._phase, phase, why)
        self._phase = phase

    def _show_fetch(self) -> None:
        assert self._fetch is not None
        state = self._fetch.state
        self._enter("held" if state.held else "fetching", f"waits for {', '.join(state.held)}")
        show(fetching(state, self._period.period))

    def _fetched_text(self) -> str:
        found = sources_of(self._fetch.state) if self._fetch else ""
        return f"\n\nFetched before that:\n\n{found}" if found else ""

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
            self._enter("billing")
            if after == "":
                await self._prepare_customers(plan.customers)
            for page in plan.pages:
                await self._batches.start(page)
                after = page.through
            more = plan.more
            if more and workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new(after)
        await self._batches.all_done()

    async def _prepare_customers(self, customers: CustomersPlan | None) -> None:
        """Have the batches ask Stripe about customers, if the settings need anything of them."""
        cursor, self._customers_cursor = self._customers_cursor, None
        if customers is None:
            self._batches.asking_since = None
            return
        if cursor is None:
            self._batches.asking_since = workflow.now()
        cursor = await list_customers_if_many(customers, cursor)
        if cursor is not None:
            await self._continue_as_new("", customers_cursor=cursor)

    async def _await_approval(self, reason: str) -> None:
        """Wait for a person: a limit holds the whole period, before any of it is claimed."""
        show(
            f"**Held** since {clock()}: {reason}\n\nNothing is claimed yet. `perdure period approve "
            f"{self._period.period}` releases it."
        )
        self._enter("held", reason)
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

    async def _continue_as_new(
        self, after: str, *, began: datetime | None = None, customers_cursor: str | None = None
    ) -> None:
        await self._batches.all_done()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._period.model_copy(
                update={
                    "after": "" if self._again else after,
                    "batches": self._batches.started,
                    "invoices": self._batches.invoices,
                    "failed": self._batches.failed,
                    "fetch_began": began,
                    "without_sources": self._without,
                    "asking_since": self._batches.asking_since,
                    "customers_cursor": None if self._again else customers_cursor,
                }
            )
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
            show(waiting_for(progress) + self._fetched_text())
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
            period=self._period.period,
            batches=self._batches.started,
            invoices=self._batches.invoices,
            progress=progress,
            without_sources=self._without,
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
        failed = self._batches.failed
        show(summary_of(result, failed) + self._fetched_text())
        logged.period_ended(self._period, result, failed)
        if failed:
            raise ApplicationError(
                f"some batches did not finish, run the period again: {'; '.join(failed)}", type="BatchFailed"
            )
        return result
