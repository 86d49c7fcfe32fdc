"""Claims one account's usage for its subscription: on a draft of Stripe's, or after a cancellation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.messages.customers import FindCustomersToAsk
    from contracts.messages.subscriptions import CancellationClaimed, ClaimCancellation, SubscriptionDraft
    from contracts.names import Activities
    from workflows.steps import billing_step, in_utc
    from workflows.stripe_sync.customers import ask_about_customers


async def claim_for_draft(draft: SubscriptionDraft) -> CancellationClaimed:
    """Claim the usage that belongs on a draft which Stripe made for a subscription."""
    summary = f"Claim the usage for {draft.stripe_invoice_id} up to {in_utc(draft.cutoff)}"

    async def claim() -> CancellationClaimed:
        return await billing_step(Activities.CLAIM_SUBSCRIPTION_DRAFT, draft, CancellationClaimed, summary)

    return await _claim_when_asked(draft.attribution_id, claim)


async def claim_cancellation(cancellation: ClaimCancellation) -> CancellationClaimed:
    """Claim the usage up to a cancellation, as an invoice of our own."""
    summary = f"Claim the usage up to the cancellation at {in_utc(cancellation.cutoff)}"

    async def claim() -> CancellationClaimed:
        return await billing_step(Activities.CLAIM_CANCELLATION, cancellation, CancellationClaimed, summary)

    return await _claim_when_asked(cancellation.attribution_id, claim)


async def _claim_when_asked(
    attribution_id: str, claim: Callable[[], Awaitable[CancellationClaimed]]
) -> CancellationClaimed:
    """Claim. If the customer lacks something, as far as is known, ask Stripe about it and claim once more.

    Stripe may never have been asked about this customer, or have what it lacked since.
    """
    claimed = await claim()
    if not claimed.customer_lacks:
        return claimed
    await ask_about_customers(FindCustomersToAsk(since=workflow.now(), attribution_id=attribution_id))
    return await claim()
