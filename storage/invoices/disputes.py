"""Disputes of payments for our invoices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from storage.invoices.payments import PaidInvoice, by_invoice, paid_invoice
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
    db: Database, *, stripe_invoice_ids: Sequence[str], keys: Sequence[str] = (), dispute: DisputeRecord
) -> PaidInvoice | None:
    """Record the dispute's current state. A dispute that was closed before keeps the earlier closing time.

    `keys`: as in `paid_invoice`. Returns the disputed invoice. None if none of the invoices is ours.
    """
    async with db.transaction() as connection:
        invoice = await paid_invoice(connection, stripe_invoice_ids, keys)
        if invoice is None:
            return None
        await connection.execute(
            statement("invoices/disputes", "record"), {"invoice_id": invoice.id, **asdict(dispute)}
        )
        return invoice


async def of_invoices(db: Database, invoice_ids: Sequence[int]) -> dict[int, list[DisputeRecord]]:
    """Return the disputes of these invoices, by invoice id, in the order in which they were opened."""
    return await by_invoice(db, statement("invoices/disputes", "of_invoices"), invoice_ids, DisputeRecord)


async def open_in_period(db: Database, period: str) -> int:
    """Count the open disputes of the period's invoices."""
    async with db.transaction(read_only=True) as connection:
        return int(
            (
                await connection.execute(statement("invoices/disputes", "open_in_period"), {"period": period})
            ).scalar_one()
        )
