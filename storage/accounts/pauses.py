"""Paused collection in Postgres: the subscriptions for which Stripe does not collect payment now."""

from __future__ import annotations

from billing.accounts.pauses import CollectionPause
from billing.invoice.policy import BlockedKind
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def paused_subscription(db: Database, attribution_id: str) -> str | None:
    """Return the account's subscription whose collection is paused; None if there is none."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/pauses", "paused_subscription"), {"attribution_id": attribution_id}
        )
        return found.scalars().first()


async def record_pause(db: Database, attribution_id: str, pause: CollectionPause) -> None:
    """Record that collection is paused. A pause that is known keeps its start, unless its behavior has changed."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("accounts/pauses", "record"),
            {
                "stripe_subscription_id": pause.stripe_subscription_id,
                "attribution_id": attribution_id,
                "behavior": str(pause.behavior),
                "since": pause.since,
                "resumes_at": pause.resumes_at,
            },
        )


async def forget_pause(db: Database, stripe_subscription_id: str) -> None:
    """Remove the pause of a subscription whose payment is collected again, or that has ended."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("accounts/pauses", "forget"), {"stripe_subscription_id": stripe_subscription_id}
        )


async def waiting_invoices(db: Database, attribution_id: str) -> list[str]:
    """Return the keys of the account's invoices that wait for collection to be resumed."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/pauses", "waiting"),
            {"attribution_id": attribution_id, "kind": str(BlockedKind.COLLECTION_PAUSED)},
        )
        return list(found.scalars())
