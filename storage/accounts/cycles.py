"""The cycles that Stripe has announced for subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.cycles import Cycle
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


async def store_cycle(db: Database, attribution_id: str, stripe_subscription_id: str, cycle: Cycle) -> None:
    """Store a subscription's cycle. Idempotent.

    A cycle that was announced before ends where this one begins: the billing anchor was moved.
    """
    async with db.transaction() as connection:
        await _store(connection, attribution_id, stripe_subscription_id, cycle)


async def store_billed_cycle(db: Database, attribution_id: str, stripe_subscription_id: str, cycle: Cycle) -> None:
    """Store the cycle that an invoice of Stripe's bills, unless one with the same end is known. Idempotent."""
    named = {"stripe_subscription_id": stripe_subscription_id, "end": cycle.end}
    async with db.transaction() as connection:
        if not (await connection.execute(statement("accounts/cycles", "ends_at"), named)).scalar_one():
            await _store(connection, attribution_id, stripe_subscription_id, cycle)


async def end_cycles(db: Database, stripe_subscription_id: str, ended: datetime) -> None:
    """End a subscription's cycles with the subscription. Idempotent."""
    async with db.transaction() as connection:
        await _make_room(connection, stripe_subscription_id, Cycle(ended, _NEVER))


async def last_cycle(
    db: Database, attribution_id: str, stripe_subscription_id: str | None, cutoff: datetime
) -> Cycle | None:
    """Return the cycle that contains the last instant before the cutoff. None if none is known.

    It is one of the subscription, or, if that is None, of any of the account's.
    """
    named = {"attribution_id": attribution_id, "stripe_subscription_id": stripe_subscription_id, "cutoff": cutoff}
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/cycles", "last"), named)
        row = found.one_or_none()
    return None if row is None else record(Cycle, row)


async def _store(connection: AsyncConnection, attribution_id: str, stripe_subscription_id: str, cycle: Cycle) -> None:
    await _make_room(connection, stripe_subscription_id, cycle)
    named = {"attribution_id": attribution_id, "stripe_subscription_id": stripe_subscription_id}
    await connection.execute(statement("accounts/cycles", "insert"), {**named, "start": cycle.start, "end": cycle.end})


async def _make_room(connection: AsyncConnection, stripe_subscription_id: str, cycle: Cycle) -> None:
    given = {"stripe_subscription_id": stripe_subscription_id, "start": cycle.start, "end": cycle.end}
    await connection.execute(statement("accounts/cycles", "cut"), given)
    await connection.execute(statement("accounts/cycles", "drop"), given)
