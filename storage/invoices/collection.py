"""How Stripe collects our invoices: its attempts, and whether it has stopped."""

from __future__ import annotations

from datetime import datetime

from storage.invoices.locked import lock_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def record(db: Database, key: str, attempts: int, *, failed: bool, stopped: bool) -> None:
    """Record how often Stripe has tried to charge the invoice, whether it last failed, and whether it has stopped."""
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        found = {"id": row.id, "attempts": attempts, "failed": failed, "stopped": stopped}
        await connection.execute(statement("invoices/collection", "record"), found)


async def not_collected(db: Database, period: str) -> list[tuple[str, datetime]]:
    """Return the keys of the period's invoices that Stripe no longer collects, and when that was first seen."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("invoices/collection", "not_collected"), {"period": period})
        return [(row.key, row.collection_stopped_at) for row in found]
