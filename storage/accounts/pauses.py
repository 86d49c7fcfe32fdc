"""Paused collection in Postgres: the times in which Stripe did not collect payment for a subscription."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from billing.accounts.pauses import CollectionPause
from billing.invoice.policy import WAITS_FOR_STRIPE
from storage.accounts.accounts import lock_or_add
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


async def paused_subscription(db: Database, attribution_id: str) -> str | None:
    """Return the account's subscription whose collection is paused now; None if there is none."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/pauses", "paused_subscription"), {"attribution_id": attribution_id}
        )
        return found.scalars().first()


async def pauses_of_account(db: Database, attribution_id: str) -> list[CollectionPause]:
    """Return the pauses of the account's subscriptions, also those that have ended."""
    async with db.reading() as connection:
        found = await connection.execute(statement("accounts/pauses", "of_account"), {"attribution_id": attribution_id})
        return [record(CollectionPause, row) for row in found]


async def follow_pauses(
    db: Database,
    attribution_id: str,
    stripe_subscription_id: str,
    follow: Callable[[Sequence[CollectionPause]], list[CollectionPause]],
) -> None:
    """Replace the subscription's pauses by what `follow` makes of those that are known, in order of time.

    Raises:
        AccountConflictError: the account is unknown.
    """
    named = {"attribution_id": attribution_id, "stripe_subscription_id": stripe_subscription_id}
    async with db.transaction() as connection:
        await lock_or_add(connection, attribution_id, None)
        rows = await connection.execute(statement("accounts/pauses", "of_subscription"), named)
        known = [record(CollectionPause, row) for row in rows]
        followed = follow(known)
        if followed == known:
            return
        await connection.execute(statement("accounts/pauses", "delete"), named)
        pauses = {
            "behaviors": [None if each.behavior is None else str(each.behavior) for each in followed],
            "since": [each.since for each in followed],
            "resumes_at": [each.resumes_at for each in followed],
            "ended": [each.ended for each in followed],
        }
        await connection.execute(statement("accounts/pauses", "insert"), {**named, **pauses})


async def waiting_invoices(db: Database, attribution_id: str) -> list[str]:
    """Return the keys of the account's invoices that wait for Stripe: a pause may have been taken for a person."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/pauses", "waiting"),
            {"attribution_id": attribution_id, "kinds": [str(kind) for kind in WAITS_FOR_STRIPE]},
        )
        return list(found.scalars())
