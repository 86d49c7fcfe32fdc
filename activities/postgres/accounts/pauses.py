"""Pauses of collection, followed from Stripe's subscriptions."""

from __future__ import annotations

from functools import partial

from contracts.messages.subscriptions import StripeSubscriptionSnapshot
from reconciliation.pauses import Heard, is_paused, pauses_of
from storage.accounts import pauses
from storage.invoices.invoices import waiting_for_currency
from storage.postgres.database import Database


async def follow_pause(db: Database, attribution_id: str, found: StripeSubscriptionSnapshot, heard: Heard) -> list[str]:
    """Record since when the subscription's collection is paused, or when that ended.

    Returns the keys of the account's invoices that wait in Stripe, if nothing is paused any more, and of those that
    have waited for their currency, if the subscription has ended.
    """
    freed = await waiting_for_currency(db, attribution_id) if found.ended is not None else []
    follow = partial(pauses_of, found, heard=heard)
    await pauses.follow_pauses(db, attribution_id, found.stripe_subscription_id, follow)
    if is_paused(found) or await pauses.paused_subscription(db, attribution_id) is not None:
        return freed
    return freed + await pauses.waiting_invoices(db, attribution_id)
