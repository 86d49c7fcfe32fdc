"""Waking a workflow because Stripe has news of its subject, from the webhook and from activities alike."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import SearchAttributePair as Pair
from temporalio.common import TypedSearchAttributes

from contracts import search_attributes
from contracts.messages.base import Message
from contracts.messages.invoices import StripeEvent
from contracts.names import BILLING_QUEUE, Signals


class WakeUp(Message):
    """A workflow to signal, and to start when it rests. Compact: a page of a hundred is kilobytes."""

    workflow: str
    workflow_id: str
    input: dict[str, str]
    """The workflow's message, as JSON: it only ever names the subject."""
    event: StripeEvent
    summary: str
    attribution_id: str | None = None
    billing_period: str | None = None


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
