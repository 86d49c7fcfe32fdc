"""One Stripe subscription: the account's window, and the final claim on cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes
    from contracts.messages.invoices import StripeEvent
    from contracts.messages.subscriptions import (
        ApplySubscription,
        ClaimCancellation,
        StripeSubscriptionSnapshot,
        SubscriptionApplied,
        SubscriptionDraft,
        SubscriptionFault,
        SubscriptionRef,
        SubscriptionResult,
    )
    from contracts.names import Activities, Signals, Workflows
    from workflows import logged
    from workflows.invoices.start import start_invoice, wake_invoice
    from workflows.sources.fetching import fetch_briefly
    from workflows.steps import (
        STEP_FAILED,
        billing_step,
        clock,
        continue_as_new_if_suggested,
        local_step,
        permanent_reason,
        show,
        stripe_step,
    )
    from workflows.stripe_sync.claiming import claim_cancellation, claim_for_draft

_CREATED = "customer.subscription.created"
# Stripe often creates a subscription and changes it immediately; the second event can arrive first.
_HEARD_WITH_CREATION = timedelta(hours=1)
_MOST_HEARD = 50
_RETRY_FIRST, _RETRY_LONGEST = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class EventTimes:
    """The times of the earliest event, and of the earliest that showed the subscription's pause."""

    first: datetime | None = None
    paused: datetime | None = None

    def hearing(self, event: StripeEvent) -> EventTimes:
        """Return the times with this event's."""
        paused = min(self.paused or event.created, event.created) if event.shows_pause else self.paused
        return EventTimes(min(self.first or event.created, event.created), paused)


@workflow.defn(name=Workflows.SUBSCRIPTION)
class SubscriptionWorkflow:
    """Keeps the account's windows in step with Stripe, and makes the final claim after a cancellation.

    An event only wakes it: the subscription is fetched. When nothing is awaited it rests (completes).
    """

    @workflow.init
    def __init__(self, ref: SubscriptionRef) -> None:
        self._ref = ref
        self._stripe_changed = True
        self._retry = False
        self._seen_at_creation = ref.seen_at_creation
        self._heard = EventTimes()
        self._heard_since_fetch = EventTimes()
        self._collected_heard: list[datetime] = []
        self._wait = _RETRY_FIRST
        self._customer_lacks = ""
        self._blocked_by = ref.blocked_by

    @workflow.signal(name=Signals.STRIPE_EVENT, description="This subscription changed in Stripe: it is fetched.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up: the subscription is fetched. Of the event, only the type and time are used."""
        self._stripe_changed = True
        self._seen_at_creation |= event.type == _CREATED
        self._heard = self._heard.hearing(event)
        self._heard_since_fetch = self._heard_since_fetch.hearing(event)
        if not event.shows_pause:
            self._collected_heard = [*self._collected_heard, event.created][-_MOST_HEARD:]

    @workflow.signal(name=Signals.RETRY, description="Try again, after the cause of the failure is fixed.")
    def retry(self) -> None:
        """Retry what failed permanently."""
        self._retry = True

    def _woken(self) -> bool:
        return self._retry or self._stripe_changed

    @workflow.run
    async def run(self, ref: SubscriptionRef) -> SubscriptionResult:
        """Bring the windows in step until no further event has arrived."""
        note = ""
        while self._stripe_changed:
            self._stripe_changed = False
            self._customer_lacks = ""
            try:
                note = await self._apply()
                if self._customer_lacks:
                    await self._await_operator(self._customer_lacks)
            except STEP_FAILED as error:
                await self._await_operator(permanent_reason(error))
            await workflow.wait_condition(workflow.all_handlers_finished)
        show(f"{note} Nothing is awaited since {clock()}.")
        return SubscriptionResult(stripe_subscription_id=ref.stripe_subscription_id, note=note)

    async def _apply(self) -> str:
        ref = self._ref.stripe_subscription_id
        self._heard_since_fetch = EventTimes()
        subscription = await self._fetch(ref)
        ended: list[str] = []
        applied = await self._bring_in_step(subscription, ended)
        while applied.overlaps is not None:
            # The other subscription may have ended unnoticed: events arrive in any order, or never.
            other = await self._bring_in_step(await self._fetch(applied.overlaps), [ref])
            await self._claim_final(applied.overlaps, other)
            ended.append(applied.overlaps)
            applied = await self._bring_in_step(subscription, ended)
        # What the fetch may not show yet is applied next, and needs its times.
        self._heard = self._heard_since_fetch
        if applied.attribution_id is not None:
            workflow.upsert_search_attributes([search_attributes.ATTRIBUTION_ID.value_set(applied.attribution_id)])
        await self._release(applied.waiting)
        return f"{applied.note} {await self._claim_final(ref, applied)}".strip()

    async def _release(self, waiting: list[str]) -> None:
        """Have the invoices that waited for collection refreshed. They are refreshed daily, too."""
        resumed = StripeEvent(event_id="", type="customer.subscription.updated", created=workflow.now())
        for key in waiting:
            await wake_invoice(key, resumed)

    async def _fetch(self, stripe_subscription_id: str) -> StripeSubscriptionSnapshot:
        show(f"Fetching {stripe_subscription_id} from Stripe since {clock()}.")
        return await stripe_step(
            Activities.RETRIEVE_SUBSCRIPTION,
            SubscriptionRef(stripe_subscription_id=stripe_subscription_id),
            StripeSubscriptionSnapshot,
            f"Retrieve {stripe_subscription_id}",
        )

    async def _bring_in_step(self, subscription: StripeSubscriptionSnapshot, ended: list[str]) -> SubscriptionApplied:
        own = subscription.stripe_subscription_id == self._ref.stripe_subscription_id
        if own and self._heard.first is not None and subscription.created is not None:
            self._seen_at_creation |= self._heard.first - subscription.created < _HEARD_WITH_CREATION
        return await billing_step(
            Activities.APPLY_SUBSCRIPTION,
            ApplySubscription(
                subscription=subscription,
                seen_at_creation=own and self._seen_at_creation,
                heard=self._heard.first if own else None,
                pause_heard=self._heard.paused if own else None,
                collected_heard=self._collected_heard if own else [],
                looked_at=ended,
            ),
            SubscriptionApplied,
            f"Update the account's windows: {subscription.stripe_subscription_id} is {subscription.status}",
        )

    async def _claim_final(self, stripe_subscription_id: str, applied: SubscriptionApplied) -> str:
        """After the subscription's end, claim the unbilled usage up to it."""
        if applied.attribution_id is None or applied.ended is None:
            return ""
        without = await fetch_briefly(applied.ended)
        if applied.final_draft is not None:
            draft = SubscriptionDraft(
                attribution_id=applied.attribution_id,
                stripe_invoice_id=applied.final_draft,
                cutoff=applied.ended,
                currency=applied.currency,
                stripe_subscription_id=stripe_subscription_id,
            )
            claimed = await claim_for_draft(draft)
        else:
            cancellation = ClaimCancellation(
                attribution_id=applied.attribution_id,
                stripe_subscription_id=stripe_subscription_id,
                cutoff=applied.ended,
                paused=applied.paused,
            )
            claimed = await claim_cancellation(cancellation)
        self._customer_lacks = claimed.customer_lacks or self._customer_lacks
        if claimed.invoice_key is not None:
            await self._start_invoice(claimed.invoice_key)
        return claimed.note + without

    async def _start_invoice(self, key: str) -> None:
        try:
            await start_invoice(key)
        except WorkflowAlreadyStartedError:
            workflow.logger.info("invoice %s is already running", key)

    async def _await_operator(self, reason: str) -> None:
        show(
            f"**Blocked** since {clock()}: {reason}\n\nFix the cause, then send the signal `{Signals.RETRY}` to "
            f"this workflow. It also retries on Stripe's next event, and by itself after {self._wait}."
        )
        if workflow.patched("subscription-faults"):
            fault = SubscriptionFault(stripe_subscription_id=self._ref.stripe_subscription_id, reason=reason)
            await local_step(Activities.RECORD_SUBSCRIPTION_FAULT, fault, SubscriptionFault)
        if reason != self._blocked_by:
            self._blocked_by = reason
            logged.subscription_blocked(self._ref.stripe_subscription_id, reason)
        await continue_as_new_if_suggested(
            self._ref.model_copy(update={"seen_at_creation": self._seen_at_creation, "blocked_by": self._blocked_by}),
            self._woken,
        )
        try:
            await workflow.wait_condition(self._woken, timeout=self._wait, timeout_summary="Try again without an event")
        except TimeoutError:
            self._wait = min(self._wait * 2, _RETRY_LONGEST)
        self._stripe_changed, self._retry = True, False
