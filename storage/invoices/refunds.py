"""Refunds of payments for our invoices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.invoices.payments import PaidInvoice, by_invoice, paid_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement

VAIN = frozenset({"failed", "canceled"})
"""Stripe's statuses of refunds whose money did not leave. https://docs.stripe.com/refunds#failed-refunds"""


@dataclass(frozen=True)
class RefundRecord:
    """A refund in its last known state. `amount` in minor units; `reason` is empty if Stripe has none."""

    stripe_refund_id: str
    stripe_credit_note_id: str | None
    amount: int
    currency: str
    status: str
    reason: str
    created_at: datetime

    @property
    def is_outside(self) -> bool:
        """Whether it gave money back without a credit note, so that nothing else accounts for it."""
        return self.stripe_credit_note_id is None and self.status not in VAIN


async def record(
    db: Database, *, stripe_invoice_ids: Sequence[str], keys: Sequence[str] = (), refunds: Sequence[RefundRecord]
) -> PaidInvoice | None:
    """Record the current state of a payment's refunds. A refund that has a credit note keeps it.

    `keys`: as in `paid_invoice`. Returns the refunded invoice. None if none of the invoices is ours.
    """
    async with db.transaction() as connection:
        invoice = await paid_invoice(connection, stripe_invoice_ids, keys)
        if invoice is None:
            return None
        rows = [{"invoice_id": invoice.id, **asdict(refund)} for refund in refunds]
        if rows:
            await connection.execute(statement("invoices/refunds", "record"), rows)
        return invoice


async def link_credit_notes(connection: AsyncConnection, invoice_id: int, notes: Mapping[str, str]) -> None:
    """Record which credit notes the invoice's refunds belong to. `notes`: refund to credit note, by Stripe's ids."""
    if notes:
        given = {"invoice_id": invoice_id, "refunds": list(notes), "notes": list(notes.values())}
        await connection.execute(statement("invoices/refunds", "link_credit_notes"), given)


async def of_invoices(db: Database, invoice_ids: Sequence[int]) -> dict[int, list[RefundRecord]]:
    """Return the refunds of these invoices, by invoice id, in the order in which they were made."""
    return await by_invoice(db, statement("invoices/refunds", "of_invoices"), invoice_ids, RefundRecord)


async def refunded_of_period(db: Database, period: str) -> dict[str, int]:
    """Return by currency, in minor units, what was refunded on the period's invoices outside of credit notes."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("invoices/refunds", "refunded_of_period"), {"period": period, "vain": sorted(VAIN)}
        )
        return {row.currency: int(row.amount) for row in rows}
