"""Starting and waking workflows."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import SearchAttributePair as Pair
from temporalio.common import TypedSearchAttributes

from contracts import search_attributes
from contracts.messages.wake_up import WakeUp
from contracts.names import BILLING_QUEUE, Signals


async def signal_with_start(client: Client, target: WakeUp) -> None:
    """Signal the workflow, starting it when it rests.

    Raises:
        RPCError: Temporal did not take it.
    """
    pairs = []
    if target.attribution_id is not None and target.billing_period is not None:
        pairs = [
            Pair(search_attributes.ATTRIBUTION_ID, target.attribution_id),
            Pair(search_attributes.BILLING_PERIOD, target.billing_period),
        ]
    await client.start_workflow(
        target.workflow,
        target.input,
        id=target.workflow_id,
        task_queue=BILLING_QUEUE,
        start_signal=Signals.STRIPE_EVENT,
        start_signal_args=[target.event],
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=target.summary,
    )
