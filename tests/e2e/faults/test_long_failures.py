"""The server keeps only the beginning of a long failure, such as a chain of causes with long tracebacks."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from temporal.pending import PendingStep, StepState, pending_steps
from tests.support.system import System
from tests.support.until import until

QUEUE = "long-failures"


@activity.defn(name="fails_at_length")
async def fails_at_length() -> None:
    raise ApplicationError("cannot connect", type="DatabaseUnavailableError") from OSError("no answer " * 1_000)


@workflow.defn(name="FailsAtLengthWorkflow")
class FailsAtLengthWorkflow:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fails_at_length, start_to_close_timeout=timedelta(seconds=10))


async def test_a_step_keeps_the_reason_and_the_kind_of_a_long_failure(system: System) -> None:
    worker = Worker(
        system.client,
        task_queue=QUEUE,
        workflows=[FailsAtLengthWorkflow],
        activities=[fails_at_length],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        handle = await system.client.start_workflow(FailsAtLengthWorkflow.run, id="fails-at-length", task_queue=QUEUE)

        async def failed() -> PendingStep | None:
            steps = await pending_steps(system.client, [handle.id])
            return next((step for step in steps if step.state is StepState.FAILS and step.failure), None)

        step = await until(failed)
        assert (step.failure, step.failure_kind) == ("cannot connect", "DatabaseUnavailableError")
        await handle.terminate()
