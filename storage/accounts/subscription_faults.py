"""Subscription faults in Postgres: Stripe subscriptions that wait for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Database
from storage.postgres.statements import statement

_MOST = 100


@dataclass(frozen=True)
class SubscriptionFaultRecord:
    """A Stripe subscription that cannot be followed. `attribution_id` is None if its account is unknown."""

    stripe_subscription_id: str
    attribution_id: str | None
    reason: str
    since: datetime


async def record_fault(db: Database, stripe_subscription_id: str, reason: str) -> None:
    """Record why the subscription waits for a person. If it was waiting already, the start of the wait is kept."""
    given = {"stripe_subscription_id": stripe_subscription_id, "reason": reason}
    async with db.transaction() as connection:
        await connection.execute(statement("accounts/accounts", "record_fault"), given)


async def forget_fault(db: Database, stripe_subscription_id: str) -> None:
    """Remove the fault of a subscription that no longer waits."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("accounts/accounts", "forget_fault"), {"stripe_subscription_id": stripe_subscription_id}
        )


async def list_faults(db: Database) -> list[SubscriptionFaultRecord]:
    """Return up to 100 faults, oldest first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/accounts", "faults"), {"limit": _MOST})
        return [SubscriptionFaultRecord(**row) for row in found.mappings()]
