"""Refunds of a payment: recorded, so that they are shown with its invoice."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts.messages.invoices import StripeEvent
    from contracts.messages.payments import PaymentRefunds, RefundsRecorded, RefundsRef
    from contracts.names import Activities, Signals, Workflows
    from workflows.steps import clock, local_step, show, stripe_step
    from workflows.stripe_sync.recording import Changes, is_ours


@workflow.defn(name=Workflows.REFUNDS_SYNC)
class RefundsSyncWorkflow:
    """Keeps the refunds of one charge as Stripe has them; those of anything but our invoices are counted and ignored.

    They never change the invoice's state. An event only wakes it: all refunds of the charge are listed again.
    """

    @workflow.init
    def __init__(self, ref: RefundsRef) -> None:
        self._ref = ref
        self._changes = Changes()

    @workflow.signal(name=Signals.STRIPE_EVENT, description="A refund of this charge changed in Stripe.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; the event's content is not trusted, the refunds are listed."""
        self._changes.heard = True

    @workflow.run
    async def run(self, ref: RefundsRef) -> RefundsRecorded:
        """List and record until no further event has arrived."""
        return await self._changes.record(self._record)

    async def _record(self) -> RefundsRecorded:
        which = self._ref.stripe_charge_id or self._ref.stripe_refund_id
        show(f"Listing the refunds of {which} since {clock()}.")
        listed = await stripe_step(Activities.LIST_REFUNDS, self._ref, PaymentRefunds, f"List the refunds of {which}")
        count = plural(len(listed.refunds), "refund")
        recorded = await local_step(Activities.RECORD_REFUNDS, listed, RefundsRecorded, f"Record {count} of {which}")
        if is_ours(recorded, "perdure_foreign_refunds", "Refunded payments that were not for our invoices"):
            show(f"{count} of invoice `{recorded.invoice_key}`, as of {clock()}. Nothing is awaited.")
        else:
            show(f"{which} was not for one of our invoices: ignored.")
        return recorded
