"""A worker of the empty workflow, in a process of its own: `python -m bench.invoicing.shape_run`."""

from __future__ import annotations

import asyncio
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.invoicing.shape import BILL, BILLING, HEARD, SIGNALS, STRIPE, WORKFLOW, EmptyInvoice, Settling

_IN_FLIGHT = 8
"""As many starts as a batch of the product has in flight."""


class Billing:
    """The activity of the other queue, which also sends the signals that Stripe's events are in the product."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sending: set[asyncio.Task[None]] = set()

    @activity.defn(name=BILL)
    async def bill(self, key: str) -> str:
        """Do nothing, and have the signals sent."""
        workflow = self._client.get_workflow_handle(key)
        for number in range(SIGNALS):
            sending = asyncio.create_task(workflow.signal(HEARD, str(number)))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        return key


async def _bill(client: Client, workflows: int) -> None:
    """Run as many workflows, and say when the first is about to start and when the last has settled."""
    settling = Settling()
    worker = Worker(
        client,
        task_queue=BILLING,
        workflows=[EmptyInvoice],
        activities=[settling.settle],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        numbers = iter(range(workflows))

        async def starter() -> None:
            for number in numbers:
                await client.start_workflow(WORKFLOW, f"shape/{number}", id=f"shape/{number}", task_queue=BILLING)

        await asyncio.gather(*(starter() for _ in range(_IN_FLIGHT)))
        while settling.settled < workflows:  # noqa: ASYNC110 - a look each 20 ms costs nothing
            await asyncio.sleep(0.02)
        print("done", flush=True)  # no longer measured
        for number in range(workflows):  # the server hears of the last step a moment after it
            await client.get_workflow_handle(f"shape/{number}").result()
        await asyncio.to_thread(sys.stdin.readline)


async def _stripe(client: Client) -> None:
    """Serve the other queue."""
    worker = Worker(client, task_queue=STRIPE, activities=[Billing(client).bill], disable_eager_activity_execution=True)
    async with worker:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def _run(role: str, address: str, workflows: str) -> None:
    client = await Client.connect(address)
    await (_bill(client, int(workflows)) if role == "billing" else _stripe(client))


def main() -> None:
    """Run with the arguments ROLE ADDRESS WORKFLOWS: a line to stdin starts, another one ends."""
    role, address, workflows = sys.argv[1:]
    asyncio.run(_run(role, address, workflows))


if __name__ == "__main__":
    main()
