"""A Stripe invoice that does not name its owner: a subscription's new draft, or an event with only an id."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes
    from contracts.messages.invoices import (
        StripeEvent,
        StripeInvoiceSnapshot,
    )
    from contracts.messages.owners import IdentifyStripeInvoice, LinkedInvoice, StripeInvoiceResult
    from contracts.messages.subscriptions import CancellationClaimed, SubscriptionDraft
    from contracts.names import Activities, Signals, Workflows
    from workflows.invoices.start import wake_invoice
    from workflows.sources.fetching import fetch_briefly
    from workflows.steps import billing_step, clock, in_utc, show, stripe_step

_CYCLE = "subscription_cycle"
_FOREIGN = "perdure_foreign_invoices"


@workflow.defn(name=Workflows.STRIPE_INVOICE)
class StripeInvoiceWorkflow:
    """Identifies an invoice's owner, then wakes the invoice's own workflow or puts usage on a subscription's draft."""

    @workflow.init
    def __init__(self, ref: IdentifyStripeInvoice) -> None:
        self._ref = ref
        self._event: StripeEvent | None = None
        self._stripe_changed = True

    @workflow.signal(name=Signals.STRIPE_EVENT, description="This invoice changed in Stripe: its owner is identified.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Identify the invoice once more."""
        self._event = event
        self._stripe_changed = True

    @workflow.run
    async def run(self, ref: IdentifyStripeInvoice) -> StripeInvoiceResult:
        """Identify the invoice until no further event has arrived."""
        note = ""
        while self._stripe_changed:
            self._stripe_changed = False
            note = await self._identify()
            await workflow.wait_condition(workflow.all_handlers_finished)
        show(f"{note} Nothing is awaited since {clock()}.")
        return StripeInvoiceResult(note=note)

    async def _identify(self) -> str:
        found = await stripe_step(
            Activities.LOOK_UP_STRIPE_INVOICE,
            self._ref,
            StripeInvoiceSnapshot,
            f"Retrieve {self._ref.stripe_invoice_id}",
        )
        linked = await billing_step(Activities.LINK_STRIPE_INVOICE, found, LinkedInvoice, "Identify its owner")
        if linked.invoice_key is not None:
            await self._wake(linked.invoice_key)
            return f"This is our invoice {linked.invoice_key}."
        if linked.attribution_id is None:
            workflow.metric_meter().create_counter(_FOREIGN, "Invoices that belong to none of our accounts").add(1)
            return "Not one of our accounts: ignored."
        workflow.upsert_search_attributes([search_attributes.ATTRIBUTION_ID.value_set(linked.attribution_id)])
        if found.status != "draft" or found.billing_reason != _CYCLE or found.period_end is None:
            return f"An invoice of {linked.attribution_id} without usage: {found.billing_reason}, {found.status}."
        without = await fetch_briefly(found.period_end, draft_of=linked.attribution_id)
        claimed = await billing_step(
            Activities.CLAIM_SUBSCRIPTION_DRAFT,
            SubscriptionDraft(
                attribution_id=linked.attribution_id,
                stripe_invoice_id=found.stripe_invoice_id,
                cutoff=found.period_end,
                currency=found.currency or None,
                stripe_subscription_id=found.stripe_subscription_id,
                cycle_start=found.period_start,
            ),
            CancellationClaimed,
            f"Claim the usage up to {in_utc(found.period_end)}",
        )
        if claimed.invoice_key is not None:
            await self._wake(claimed.invoice_key)
        return claimed.note + without

    async def _wake(self, key: str) -> None:
        if not await wake_invoice(key, self._event):
            self._stripe_changed = True  # identify the invoice again, which starts its workflow
