"""The monthly schedule's action."""

from __future__ import annotations

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from billing.periods import BillingPeriod, time_zone
    from contracts import search_attributes, workflow_ids
    from contracts.messages.periods import PeriodInput, PeriodResult, ScheduledPeriodInput
    from contracts.names import BILLING_QUEUE, Signals, Workflows
    from workflows.steps import clock, period_search_attributes, show

_SCHEDULED_START = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name=Workflows.SCHEDULED_PERIOD)
class ScheduledPeriodWorkflow:
    """The monthly schedule's action: it starts the period that had ended at the *scheduled* time.

    It exists because Temporal appends the time to the id of a scheduled workflow, while a period's id must not
    depend on what starts it. It ends when the period's usage is claimed, so that a catch-up over several months claims
    one after the other.
    """

    @workflow.init
    def __init__(self, schedule: ScheduledPeriodInput) -> None:
        self._claimed = False

    @workflow.signal(name=Signals.PERIOD_CLAIMED, description="The period is claimed: the next month can start.")
    def period_claimed(self) -> None:
        """Let the schedule start the next month."""
        self._claimed = True

    @workflow.run
    async def run(self, schedule: ScheduledPeriodInput) -> str:
        """Start `billing-period/<period>`, or signal it to run again if it is running; return the period."""
        scheduled = workflow.info().typed_search_attributes.get(_SCHEDULED_START)
        at: datetime = scheduled or workflow.info().start_time
        period = str(BillingPeriod.last_ended(at, time_zone(schedule.time_zone)))
        workflow.upsert_search_attributes([search_attributes.BILLING_PERIOD.value_set(period)])
        show(f"Scheduled for {at:%Y-%m-%d %H:%M UTC}: billing {period} since {clock()}.")
        try:
            child = await workflow.start_child_workflow(
                Workflows.BILLING_PERIOD,
                PeriodInput(period=period),
                id=workflow_ids.billing_period(period),
                task_queue=BILLING_QUEUE,
                result_type=PeriodResult,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"Billing period {period}",
                static_details=f"Started by the monthly schedule. `perdure period status {period}`",
                search_attributes=period_search_attributes(period),
            )
        except WorkflowAlreadyStartedError:
            await self._run_again(period)
            return period
        ended = asyncio.create_task(_ended(child))
        await workflow.wait_condition(lambda: self._claimed or ended.done())
        await workflow.wait_condition(workflow.all_handlers_finished)
        return period

    async def _run_again(self, period: str) -> None:
        running = workflow.get_external_workflow_handle(workflow_ids.billing_period(period))
        try:
            await running.signal(Signals.RUN_AGAIN)
        except FailureError:
            workflow.logger.info("the earlier run of %s has just ended", period)


async def _ended(period: workflow.ChildWorkflowHandle[object, PeriodResult]) -> None:
    try:
        await period
    except ChildWorkflowError as error:
        workflow.logger.error("the period's run failed: %s", error.cause or error)
