"""Pauses of collection, followed from Stripe's subscriptions."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.pauses import CollectionPause
from contracts.messages.subscriptions import StripeSubscriptionSnapshot
from storage.accounts import pauses
from storage.invoices.invoices import waiting_for_currency
from storage.postgres.database import Database


async def follow_pause(
    db: Database, attribution_id: str, found: StripeSubscriptionSnapshot, seen: datetime
) -> list[str]:
    """Record whether the subscription's collection is paused, since `seen` if that is new.

    Returns the keys of the account's invoices that have waited for collection, if nothing is paused any more, and of
    those that have waited for their currency, if the subscription has ended.
    """
    freed = await waiting_for_currency(db, attribution_id) if found.ended is not None else []
    if found.pause is not None and found.ended is None:
        pause = CollectionPause(
            found.stripe_subscription_id, found.pause.behavior, since=seen, resumes_at=found.pause.resumes_at
        )
        await pauses.record_pause(db, attribution_id, pause)
        return []
    await pauses.forget_pause(db, found.stripe_subscription_id)
    if await pauses.paused_subscription(db, attribution_id) is not None:
        return freed
    return freed + await pauses.waiting_invoices(db, attribution_id)
