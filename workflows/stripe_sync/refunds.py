"""Refunds of a payment: recorded, so that they are shown with its invoice."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts import search_attributes
    from contracts.messages.invoices import StripeEvent
    from contracts.messages.payments import PaymentRefunds, RefundsRecorded, RefundsRef
    from contracts.names import Activities, Signals, Workflows
    from workflows.steps import STEP_FAILED, clock, local_step, nothing_was_heard, permanent_reason, show, stripe_step


@workflow.defn(name=Workflows.REFUNDS_SYNC)
class RefundsSyncWorkflow:
    """Keeps the refunds of one charge as Stripe has them; those of anything but our invoices are counted and ignored.

    They never change the invoice's state. An event only wakes it: all refunds of the charge are listed again.
    """

    @workflow.init
    def __init__(self, ref: RefundsRef) -> None:
        self._ref = ref
        self._stripe_changed = True

    @workflow.signal(name=Signals.STRIPE_EVENT, description="A refund of this charge changed in Stripe.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; the event's content is not trusted, the refunds are listed."""
        self._stripe_changed = True

    @workflow.run
    async def run(self, ref: RefundsRef) -> RefundsRecorded:
        """List and record until no further event has arrived."""
        while True:
            self._stripe_changed = False
            try:
                recorded = await self._record()
            except STEP_FAILED as error:
                show(f"**Failed** at {clock()}: {permanent_reason(error)}")
                raise
            if await nothing_was_heard(lambda: self._stripe_changed):
                return recorded

    async def _record(self) -> RefundsRecorded:
        which = self._ref.stripe_charge_id or self._ref.stripe_refund_id
        show(f"Listing the refunds of {which} since {clock()}.")
        listed = await stripe_step(Activities.LIST_REFUNDS, self._ref, PaymentRefunds, f"List the refunds of {which}")
        count = plural(len(listed.refunds), "refund")
        recorded = await local_step(Activities.RECORD_REFUNDS, listed, RefundsRecorded, f"Record {count} of {which}")
        if recorded.invoice_key is None:
            workflow.metric_meter().create_counter(
                "perdure_foreign_refunds", "Refunded payments that were not for our invoices"
            ).add(1)
            show(f"{which} was not for one of our invoices: ignored.")
            return recorded
        assert recorded.attribution_id is not None
        assert recorded.billing_period is not None
        workflow.upsert_search_attributes(
            [
                search_attributes.ATTRIBUTION_ID.value_set(recorded.attribution_id),
                search_attributes.BILLING_PERIOD.value_set(recorded.billing_period),
            ]
        )
        show(f"{count} of invoice `{recorded.invoice_key}`, as of {clock()}. Nothing is awaited.")
        return recorded
