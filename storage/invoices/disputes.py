"""Disputes of payments for our invoices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from storage.postgres.database import Database
from storage.postgres.statements import statement

CLOSED = frozenset({"won", "lost", "warning_closed", "prevented"})
"""Stripe's statuses of closed disputes. https://docs.stripe.com/api/disputes/object#dispute_object-status"""


@dataclass(frozen=True)
class DisputeRecord:
    """A dispute in its last known state. `amount` in minor units; `closed_at` is None while it is open."""

    stripe_dispute_id: str
    amount: int
    currency: str
    reason: str
    status: str
    opened_at: datetime
    closed_at: datetime | None


async def record(
    db: Database, *, stripe_invoice_ids: Sequence[str], dispute: DisputeRecord
) -> tuple[str, str, str] | None:
    """Record the dispute's current state. A dispute that was closed before keeps the earlier closing time.

    Returns the disputed invoice's key, attribution id and billing period. None if none of the invoices is ours.
    """
    async with db.transaction() as connection:
        found = await connection.execute(
            statement("invoices/disputes", "paid_invoice"), {"stripe_invoice_ids": list(stripe_invoice_ids)}
        )
        invoice = found.one_or_none()
        if invoice is None:
            return None
        await connection.execute(
            statement("invoices/disputes", "record"), {"invoice_id": invoice.id, **asdict(dispute)}
        )
        return invoice.key, invoice.attribution_id, invoice.billing_period


async def of_invoices(db: Database, invoice_ids: Sequence[int]) -> dict[int, list[DisputeRecord]]:
    """Return the disputes of these invoices, by invoice id, in the order in which they were opened."""
    by_invoice: dict[int, list[DisputeRecord]] = {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("invoices/disputes", "of_invoices"), {"ids": list(invoice_ids)})
        for row in rows.mappings():
            fields = dict(row)
            by_invoice.setdefault(fields.pop("invoice_id"), []).append(DisputeRecord(**fields))
    return by_invoice


async def open_in_period(db: Database, period: str) -> int:
    """Count the open disputes of the period's invoices."""
    async with db.transaction(read_only=True) as connection:
        return int(
            (
                await connection.execute(statement("invoices/disputes", "open_in_period"), {"period": period})
            ).scalar_one()
        )
