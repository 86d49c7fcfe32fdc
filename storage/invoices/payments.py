"""What is recorded of an invoice's payments: the invoice that a payment was for, rows by invoice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

R = TypeVar("R")


@dataclass(frozen=True)
class PaidInvoice:
    """Our invoice that a payment was for."""

    id: int
    key: str
    attribution_id: str
    billing_period: str

    @property
    def named(self) -> dict[str, str]:
        """The fields by which messages name it."""
        return {
            "invoice_key": self.key,
            "attribution_id": self.attribution_id,
            "billing_period": self.billing_period,
        }


async def paid_invoice(
    connection: AsyncConnection, stripe_invoice_ids: Sequence[str], keys: Sequence[str]
) -> PaidInvoice | None:
    """Return the first of these Stripe invoices that is ours. None if none is.

    `keys`: those in their metadata, by which an invoice of ours is known that has no Stripe invoice recorded yet.
    """
    given = {"stripe_invoice_ids": list(stripe_invoice_ids), "keys": list(keys)}
    found = (await connection.execute(statement("invoices/payments", "paid_invoice"), given)).one_or_none()
    return None if found is None else record(PaidInvoice, found)


async def by_invoice(
    db: Database, of_invoices: TextClause, invoice_ids: Sequence[int], kind: Callable[..., R]
) -> dict[int, list[R]]:
    """Return what a statement selects for these invoices, by invoice id and in its order."""
    found: dict[int, list[R]] = {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(of_invoices, {"ids": list(invoice_ids)})
        for row in rows.mappings():
            fields = dict(row)
            found.setdefault(fields.pop("invoice_id"), []).append(kind(**fields))
    return found
