"""Find the invoice that a person names, and what is shown with an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from billing.invoice.record import InvoiceRecord
from storage.invoices import credit_notes, disputes, invoices, refunds
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.refunds import RefundRecord
from storage.lookup.naming import invoice_key
from storage.postgres.database import Database

Listed: TypeAlias = tuple[InvoiceRecord, list[CreditNoteRecord], list[DisputeRecord], list[RefundRecord]]
"""An invoice with its credit notes, disputes and refunds."""


async def find_invoice(db: Database, text: str, *, parts: bool = False) -> InvoiceRecord:
    """Load the invoice that a person names: by its key, or by Stripe's id or number.

    `parts`: a credit note, a refund or a dispute names its invoice, too.

    Raises:
        InputError: there is no such invoice.
    """
    record = await invoices.load_invoice(db, await invoice_key(db, text, parts=parts))
    assert record is not None  # invoices are never removed
    return record


async def listed_invoices(db: Database, records: Sequence[InvoiceRecord]) -> list[Listed]:
    """Return the invoices, each with its credit notes, disputes and refunds."""
    ids = [record.id for record in records]
    notes = await credit_notes.credit_notes_of(db, ids)
    disputed, refunded = await disputes.of_invoices(db, ids), await refunds.of_invoices(db, ids)
    return [
        (record, notes.get(record.id, []), disputed.get(record.id, []), refunded.get(record.id, []))
        for record in records
    ]
