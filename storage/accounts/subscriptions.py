"""The windows of a Stripe subscription."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.parts import Stretch
from storage.accounts.accounts import AccountConflictError, NewAccount, lock_or_add
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def put_subscription(
    db: Database,
    attribution_id: str,
    stripe_subscription_id: str,
    parts: Sequence[Stretch],
    currency: str,
    new: NewAccount | None = None,
) -> None:
    """Replace the account's windows for this Stripe subscription by these, in order; without any, delete them.

    Idempotent. A window with the same start that a file supplied becomes the subscription's. With `new`, the account is
    added in the same transaction unless it exists.

    Raises:
        AccountConflictError: the account is unknown, a window overlaps another one, or the subscription belongs to
            another account.
    """
    windows = {
        "attribution_id": attribution_id,
        "stripe_subscription_id": stripe_subscription_id,
        "currency": currency,
        "starts": [part.start for part in parts],
        "ends": [part.end for part in parts],
        "kinds": [str(part.kind) for part in parts],
    }
    async with db.transaction() as connection:
        await lock_or_add(connection, attribution_id, new)
        owner = (await connection.execute(statement("accounts/subscriptions", "owner"), windows)).scalar_one_or_none()
        if owner not in (None, attribution_id):
            raise AccountConflictError(f"{stripe_subscription_id} belongs to {owner}")
        if (await connection.execute(statement("accounts/subscriptions", "is_same"), windows)).scalar_one():
            return
        await connection.execute(statement("accounts/subscriptions", "delete"), windows)
        await _refuse_overlap(connection, windows)
        await connection.execute(statement("accounts/subscriptions", "insert"), windows)


async def set_currency(db: Database, attribution_id: str, stripe_subscription_id: str, currency: str) -> None:
    """Set the currency of a subscription's windows: its draft shows it, whether or not its own events have arrived.

    Windows that were stored before windows had a currency have the account's.

    Raises:
        AccountConflictError: the account is unknown.
    """
    named = {"attribution_id": attribution_id, "stripe_subscription_id": stripe_subscription_id, "currency": currency}
    async with db.transaction() as connection:
        await lock_or_add(connection, attribution_id, None)
        await connection.execute(statement("accounts/subscriptions", "set_currency"), named)


async def _refuse_overlap(connection: AsyncConnection, windows: dict[str, Any]) -> None:
    other = (await connection.execute(statement("accounts/subscriptions", "overlapping"), windows)).one_or_none()
    if other is not None:
        until = other.ended.isoformat() if other.ended else "an open end"
        raise AccountConflictError(
            f"{windows['attribution_id']} cannot have overlapping windows: {windows['stripe_subscription_id']} "
            f"from {other.since.isoformat()} overlaps the one from {other.started.isoformat()} to {until}"
        )
