"""Subscriptions that wait for a person, as Postgres shows them beside what is billed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Database
from storage.postgres.statements import statement

_MOST = 100


@dataclass(frozen=True)
class SubscriptionFaultRecord:
    """A Stripe subscription that cannot be followed. `attribution_id` when its account is known."""

    stripe_subscription_id: str
    attribution_id: str | None
    reason: str
    since: datetime


async def record_fault(db: Database, stripe_subscription_id: str, reason: str) -> None:
    """Keep why it waits; since when stays."""
    given = {"stripe_subscription_id": stripe_subscription_id, "reason": reason}
    async with db.transaction() as connection:
        await connection.execute(statement("accounts/accounts", "record_fault"), given)


async def forget_fault(db: Database, stripe_subscription_id: str) -> None:
    """It does not wait any more."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("accounts/accounts", "forget_fault"), {"stripe_subscription_id": stripe_subscription_id}
        )


async def list_faults(db: Database) -> list[SubscriptionFaultRecord]:
    """At most 100, the oldest first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/accounts", "faults"), {"limit": _MOST})
        return [SubscriptionFaultRecord(**row) for row in found.mappings()]
