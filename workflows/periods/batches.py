"""The batches of one period's run: started a few at a time, counted when they end."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts import workflow_ids
    from contracts.messages.periods import BatchInput, BatchResult, Page, PeriodInput
    from contracts.names import BILLING_QUEUE, Workflows
    from workflows.steps import clock, period_search_attributes, show

_PARALLEL = 2


class Batches:
    """Counts the batches that were started, the invoices that they drove, and what failed, across continue-as-new.

    `asking_since`: when this pass over the accounts began to ask Stripe about customers, if it does.
    """

    def __init__(self, run: PeriodInput) -> None:
        self._run = run
        self.started = run.batches
        self.invoices = run.invoices
        self.failed = list(run.failed)
        self.asking_since = run.asking_since
        self._active: set[int] = set()
        self._awaiting: list[asyncio.Task[None]] = []

    async def start(self, page: Page) -> None:
        """Start the page's batch as soon as fewer than two are running."""
        await workflow.wait_condition(lambda: len(self._active) < _PARALLEL)
        self.started += 1
        number = self.started
        self._active.add(number)
        period = self._run.period
        try:
            batch = await workflow.start_child_workflow(
                Workflows.BILLING_BATCH,
                BatchInput(
                    period=period,
                    number=number,
                    page=page,
                    attribution_id=self._run.attribution_id,
                    asking_since=self.asking_since,
                ),
                id=workflow_ids.billing_batch(workflow.info().workflow_id, number),
                task_queue=BILLING_QUEUE,
                result_type=BatchResult,
                parent_close_policy=ParentClosePolicy.TERMINATE,
                static_summary=f"{period}, batch {number}: accounts up to {page.through}",
                search_attributes=period_search_attributes(period),
            )
        except WorkflowAlreadyStartedError:
            self._active.discard(number)
            self.failed.append(f"batch {number}: the same batch of an earlier run is still running")
            return
        self._report()
        self._awaiting.append(asyncio.create_task(self._await_batch(number, batch)))

    async def all_done(self) -> None:
        """Wait until no batch is running."""
        await workflow.wait_condition(lambda: not self._active)

    async def _await_batch(self, number: int, batch: workflow.ChildWorkflowHandle[object, BatchResult]) -> None:
        try:
            result = await batch
            self.invoices += result.invoices
        except ChildWorkflowError as error:
            self.failed.append(f"batch {number}: {error.cause or error}")
        # No `finally`: it would also run when the workflow is evicted from memory, outside of its event loop.
        self._active.discard(number)
        self._report()

    def _report(self) -> None:
        done = self.started - len(self._active)
        running = ", ".join(f"`{number:04d}`" for number in sorted(self._active))
        show(
            f"{done:,} of {plural(self.started, 'started batch', 'started batches')} done, "
            f"{plural(self.invoices, 'invoice')} driven. "
            + (f"Waiting for batch {running}. " if running else "")
            + f"As of {clock()}."
        )
