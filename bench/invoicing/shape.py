"""An empty workflow with the shape of an invoice's common path: what Temporal itself costs for one."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

from contracts.search_attributes import INVOICE_STATE, STRIPE_INVOICE_ID

BILLING, STRIPE = "shape-billing", "shape-stripe"
WORKFLOW, BILL, SETTLE = "EmptyInvoice", "bill_nothing", "settle_nothing"
HEARD = "heard"
SIGNALS = 2
_SECONDS = timedelta(seconds=60)


@workflow.defn(name=WORKFLOW)
class EmptyInvoice:
    """One activity on another queue, two signals that are awaited, one local step, one change of attributes."""

    def __init__(self) -> None:
        self._heard = 0

    @workflow.signal(name=HEARD)
    def heard(self, _event: str) -> None:
        """Count a signal."""
        self._heard += 1

    @workflow.run
    async def run(self, key: str) -> str:
        """Do nothing, in as many steps as an invoice."""
        made = await workflow.execute_activity(BILL, key, task_queue=STRIPE, start_to_close_timeout=_SECONDS)
        await workflow.wait_condition(lambda: self._heard == SIGNALS)
        await workflow.execute_local_activity(SETTLE, key, start_to_close_timeout=_SECONDS)
        workflow.upsert_search_attributes([STRIPE_INVOICE_ID.value_set("in_1"), INVOICE_STATE.value_set("billed")])
        return str(made)


class Settling:
    """The local step. It counts, so that the process knows when all workflows are at their end."""

    def __init__(self) -> None:
        self.settled = 0

    @activity.defn(name=SETTLE)
    async def settle(self, _key: str) -> None:
        """Do nothing."""
        self.settled += 1
