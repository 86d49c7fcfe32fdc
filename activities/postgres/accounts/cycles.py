"""Keeps the stored cycles of a subscription in step with Stripe."""

from __future__ import annotations

from contracts.messages.subscriptions import StripeSubscriptionSnapshot
from reconciliation.subscriptions import present_cycle
from storage.accounts import cycles
from storage.postgres.database import Database


async def follow_cycles(db: Database, attribution_id: str, found: StripeSubscriptionSnapshot) -> None:
    """Store the subscription's present cycle, and end its cycles with it. Idempotent."""
    cycle = present_cycle(found)
    if cycle is not None:
        await cycles.store_cycle(db, attribution_id, found.stripe_subscription_id, cycle)
    if found.ended is not None:
        await cycles.end_cycles(db, found.stripe_subscription_id, found.ended)
