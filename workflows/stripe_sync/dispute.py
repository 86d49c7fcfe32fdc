"""A dispute: recorded, so that it is shown with its invoice."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.money import format_amount
    from contracts.messages.invoices import StripeEvent
    from contracts.messages.payments import DisputeRecorded, DisputeRef, DisputeSnapshot, RecordDispute
    from contracts.names import Activities, Signals, Workflows
    from reconciliation.event_types import DISPUTE_CLOSED
    from workflows.steps import clock, local_step, show, stripe_step
    from workflows.stripe_sync.recording import Changes, is_ours


@workflow.defn(name=Workflows.DISPUTE)
class DisputeWorkflow:
    """Keeps the dispute of one of our invoices as Stripe has it; a dispute of anything else is counted and ignored.

    An event only wakes it: the dispute is fetched, so that an old event never moves a newer status back.
    """

    @workflow.init
    def __init__(self, ref: DisputeRef) -> None:
        self._ref = ref
        self._changes = Changes()
        self._closed_at: datetime | None = None

    @workflow.signal(name=Signals.STRIPE_EVENT, description="This dispute changed in Stripe: it is fetched.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up: the dispute is fetched. Of the event, only the time of a closing is used."""
        self._changes.heard = True
        if event.type == DISPUTE_CLOSED:
            self._closed_at = event.created

    @workflow.run
    async def run(self, ref: DisputeRef) -> DisputeRecorded:
        """Record the dispute until no further event has arrived."""
        return await self._changes.record(self._record)

    async def _record(self) -> DisputeRecorded:
        which = self._ref.stripe_dispute_id
        show(f"Fetching {which} from Stripe since {clock()}.")
        dispute = await stripe_step(Activities.RETRIEVE_DISPUTE, self._ref, DisputeSnapshot, f"Retrieve {which}")
        recorded = await local_step(
            Activities.RECORD_DISPUTE,
            RecordDispute(dispute=dispute, heard_at=self._closed_at or workflow.now()),
            DisputeRecorded,
            f"Record that {which} is {dispute.status}",
        )
        if not is_ours(recorded, "perdure_foreign_disputes", "Disputes of payments that were not for our invoices"):
            show(f"{which} disputes a payment that was not for one of our invoices: ignored.")
            return recorded
        show(
            f"{format_amount(dispute.amount, dispute.currency)} of invoice `{recorded.invoice_key}` disputed "
            f"({dispute.reason}): **{dispute.status}** as of {clock()}. "
            "Disputes are answered in Stripe; nothing is awaited here."
        )
        return recorded
