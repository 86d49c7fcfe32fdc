"""One Stripe subscription: the account's window, and its settlement on cancellation."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import SearchAttributePair as Pair
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes, workflow_ids
    from contracts.invoices import InvoiceRef, StripeEvent
    from contracts.names import BILLING_QUEUE, Activities, Signals, Workflows
    from contracts.subscriptions import (
        ApplySubscription,
        CancellationClaimed,
        ClaimCancellation,
        StripeSubscriptionSnapshot,
        SubscriptionApplied,
        SubscriptionOutcome,
        SubscriptionRef,
    )
    from workflows.steps import billing_step, clock, permanent_reason, stripe_step

_CREATED = "customer.subscription.created"


@workflow.defn(name=Workflows.SUBSCRIPTION)
class SubscriptionWorkflow:
    """Keeps the account's windows in step with Stripe; a cancellation is settled by an invoice of its own.

    An event only wakes it: the subscription is fetched anew. When nothing is awaited it rests (completes).
    """

    @workflow.init
    def __init__(self, ref: SubscriptionRef) -> None:
        self._ref = ref
        self._news = True
        self._retry = False
        self._seen_at_creation = False

    @workflow.signal(name=Signals.STRIPE_EVENT, description="Stripe has news of this subscription.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; what the event says is not believed, only looked up."""
        self._news = True
        self._seen_at_creation |= event.type == _CREATED

    @workflow.signal(name=Signals.RETRY, description="Go on, after the cause of the failure was mended.")
    def retry(self) -> None:
        """Try again what failed for good."""
        self._retry = True

    @workflow.run
    async def run(self, ref: SubscriptionRef) -> SubscriptionOutcome:
        """Bring the windows in step until there is no news."""
        note = ""
        while self._news:
            self._news = False
            try:
                note = await self._apply()
            except ActivityError as error:
                await self._await_operator(permanent_reason(error))
            await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.set_current_details(f"{note} Nothing is awaited, since {clock()}.")
        return SubscriptionOutcome(stripe_subscription_id=ref.stripe_subscription_id, note=note)

    async def _apply(self) -> str:
        workflow.set_current_details(f"Fetching the subscription from Stripe, since {clock()}.")
        subscription = await stripe_step(
            Activities.RETRIEVE_SUBSCRIPTION,
            self._ref,
            StripeSubscriptionSnapshot,
            "Retrieve the subscription",
        )
        applied = await billing_step(
            Activities.APPLY_SUBSCRIPTION,
            ApplySubscription(subscription=subscription, seen_at_creation=self._seen_at_creation),
            SubscriptionApplied,
            f"Bring the account's windows in step: {subscription.status}",
        )
        if applied.attribution_id is None:
            return applied.note
        workflow.upsert_search_attributes([search_attributes.ATTRIBUTION_ID.value_set(applied.attribution_id)])
        if applied.ended is None:
            return applied.note
        claimed = await billing_step(
            Activities.CLAIM_CANCELLATION,
            ClaimCancellation(
                attribution_id=applied.attribution_id,
                stripe_subscription_id=self._ref.stripe_subscription_id,
                cutoff=applied.ended,
            ),
            CancellationClaimed,
            f"Claim the usage up to the cancellation at {applied.ended:%Y-%m-%d %H:%M:%S UTC}",
        )
        if claimed.invoice_key is not None:
            await self._start_invoice(claimed.invoice_key, applied.attribution_id)
        return f"{applied.note} {claimed.note}"

    async def _start_invoice(self, key: str, attribution_id: str) -> None:
        try:
            await workflow.start_child_workflow(
                Workflows.INVOICE,
                InvoiceRef(invoice_key=key),
                id=workflow_ids.invoice(key),
                task_queue=BILLING_QUEUE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"Cancellation invoice of {attribution_id}",
                static_details=f"`perdure invoices show '{key}'` shows its lines and state.",
                search_attributes=TypedSearchAttributes(
                    [
                        Pair(search_attributes.ATTRIBUTION_ID, attribution_id),
                        Pair(search_attributes.BILLING_PERIOD, key.split("/")[0]),
                    ]
                ),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("invoice %s is under way already", key)

    async def _await_operator(self, reason: str) -> None:
        workflow.set_current_details(
            f"**Blocked** since {clock()}: {reason}\n\nMend the cause, then send the "
            f"signal `{Signals.RETRY}`; news from Stripe tries again too."
        )
        await workflow.wait_condition(lambda: self._retry or self._news)
        self._news, self._retry = True, False
