"""An invoice under its row lock: the input of every decision on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import PermanentError
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.states import InvoiceState
from storage.postgres.rows import record
from storage.postgres.statements import statement


class UnknownInvoiceError(PermanentError):
    """Postgres does not know this invoice key."""


@dataclass(frozen=True)
class LockedInvoice:
    """The invoice's row, locked until the transaction ends. The fields are those of `InvoiceRecord`."""

    id: int
    attribution_id: str
    state: InvoiceState
    resume_state: InvoiceState | None
    blocked_kind: BlockedKind | None
    charge_on: ChargeOn
    finalization: Finalization
    revision: int
    currency: str
    amount: int
    approved_amount: int | None
    found_subtotal: int | None
    accepted_subtotal: int | None
    report_id: str | None
    stripe_invoice_id: str | None
    replaces_stripe_invoice_id: str | None
    void_requested_at: datetime | None
    written_off: bool

    @property
    def reached(self) -> InvoiceState:
        """The state; for a blocked invoice, the state in which it was blocked."""
        return self.resume_state or self.state


async def find_locked(connection: AsyncConnection, key: str, *, lock: bool = True) -> LockedInvoice | None:
    """Lock and return the invoice, or only return it as it is now. None if there is no such invoice."""
    name = "lock" if lock else "seen"
    row = (await connection.execute(statement("invoices/invoices", name), {"key": key})).one_or_none()
    return None if row is None else record(LockedInvoice, row)


async def lock_invoice(connection: AsyncConnection, key: str) -> LockedInvoice:
    """Lock and return the invoice.

    Raises:
        UnknownInvoiceError: there is no such invoice.
    """
    invoice = await find_locked(connection, key)
    if invoice is None:
        raise UnknownInvoiceError(f"no invoice {key} in this database")
    return invoice
