"""Find the invoice that a person names."""

from __future__ import annotations

from billing.errors import InputError
from billing.invoice.record import InvoiceRecord
from storage.invoices import invoices
from storage.postgres.database import Database


async def find_invoice(db: Database, key: str) -> InvoiceRecord:
    """Load the invoice of this key.

    Raises:
        InputError: there is no such invoice.
    """
    record = await invoices.load_invoice(db, key)
    if record is None:
        raise InputError(f"there is no invoice {key!r}: `perdure invoices list` shows their keys")
    return record
