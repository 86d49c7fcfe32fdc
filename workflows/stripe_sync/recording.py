"""What the workflows share that record something about a payment: a dispute, refunds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes
    from contracts.messages.payments import OfInvoice
    from workflows.steps import STEP_FAILED, clock, nothing_was_heard, permanent_reason, show

R = TypeVar("R", bound=OfInvoice)


class Changes:
    """Whether Stripe has announced a change that is not recorded yet."""

    def __init__(self) -> None:
        self.heard = True

    async def record(self, record: Callable[[], Awaitable[R]]) -> R:
        """Fetch and record until no further event has arrived. Returns what was recorded last."""
        while True:
            self.heard = False
            try:
                recorded = await record()
            except STEP_FAILED as error:
                show(f"**Failed** at {clock()}: {permanent_reason(error)}")
                raise
            if await nothing_was_heard(lambda: self.heard):
                return recorded


def is_ours(recorded: OfInvoice, metric: str, description: str) -> bool:
    """Whether the payment was for an invoice of ours, by which the workflow is found then; else count it."""
    if recorded.invoice_key is None:
        workflow.metric_meter().create_counter(metric, description).add(1)
        return False
    assert recorded.attribution_id is not None
    assert recorded.billing_period is not None
    workflow.upsert_search_attributes(
        [
            search_attributes.ATTRIBUTION_ID.value_set(recorded.attribution_id),
            search_attributes.BILLING_PERIOD.value_set(recorded.billing_period),
        ]
    )
    return True
