"""A Stripe invoice that does not name its owner: a subscription's new draft, or an event with only an id."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes
    from contracts.messages.invoices import (
        StripeEvent,
        StripeInvoiceSnapshot,
    )
    from contracts.messages.owners import IdentifyStripeInvoice, LinkedInvoice, StripeInvoiceResult
    from contracts.messages.subscriptions import SubscriptionDraft
    from contracts.names import Activities, Signals, Workflows
    from workflows.invoices.start import wake_invoice
    from workflows.sources.fetching import fetch_briefly
    from workflows.steps import billing_step, clock, continue_as_new_if_suggested, show, stripe_step
    from workflows.stripe_sync.claiming import claim_for_draft

_CYCLE = "subscription_cycle"
_FOREIGN = "perdure_foreign_invoices"
_ASKED_FIRST, _ASKED_LONGEST = timedelta(minutes=10), timedelta(days=1)
"""How long until a customer that lacks something is asked about again: Stripe finalizes the draft after an hour."""


@workflow.defn(name=Workflows.STRIPE_INVOICE)
class StripeInvoiceWorkflow:
    """Identifies an invoice's owner, then wakes the invoice's own workflow or puts usage on a subscription's draft."""

    @workflow.init
    def __init__(self, ref: IdentifyStripeInvoice) -> None:
        self._ref = ref
        self._event: StripeEvent | None = None
        self._stripe_changed = True
        self._customer_lacks = ""
        self._wait = _ASKED_FIRST

    @workflow.signal(name=Signals.STRIPE_EVENT, description="This invoice changed in Stripe: its owner is identified.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Identify the invoice once more."""
        self._event = event
        self._stripe_changed = True

    @workflow.signal(name=Signals.RETRY, description="Ask again what the customer lacked.")
    def retry(self) -> None:
        """Try again, now that the customer may have what it lacked."""
        self._stripe_changed = True

    @workflow.run
    async def run(self, ref: IdentifyStripeInvoice) -> StripeInvoiceResult:
        """Identify the invoice until no further event has arrived."""
        note = ""
        while self._stripe_changed:
            self._stripe_changed = False
            self._customer_lacks = ""
            note = await self._identify()
            if self._customer_lacks:
                await self._await_customer()
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
        draft = SubscriptionDraft(
            attribution_id=linked.attribution_id,
            stripe_invoice_id=found.stripe_invoice_id,
            cutoff=found.period_end,
            currency=found.currency or None,
            stripe_subscription_id=found.stripe_subscription_id,
            cycle_start=found.period_start,
        )
        claimed = await claim_for_draft(draft)
        self._customer_lacks = claimed.customer_lacks
        if claimed.invoice_key is not None:
            await self._wake(claimed.invoice_key)
        return claimed.note + without

    async def _await_customer(self) -> None:
        """Wait until the customer may have what it lacks. The draft is Stripe's, which finalizes it meanwhile."""
        show(
            f"**No usage** on {self._ref.stripe_invoice_id} since {clock()}: {self._customer_lacks}\n\n"
            f"Stripe is asked again in {self._wait}, and at the signal `{Signals.RETRY}`, while this is a draft."
        )
        await continue_as_new_if_suggested(self._ref, lambda: self._stripe_changed)
        try:
            await workflow.wait_condition(
                lambda: self._stripe_changed, timeout=self._wait, timeout_summary="Ask again what the customer has"
            )
        except TimeoutError:
            self._wait = min(self._wait * 2, _ASKED_LONGEST)
        self._stripe_changed = True

    async def _wake(self, key: str) -> None:
        if not await wake_invoice(key, self._event):
            self._stripe_changed = True  # identify the invoice again, which starts its workflow
