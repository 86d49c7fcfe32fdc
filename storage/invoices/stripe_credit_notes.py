"""Adopting credit notes from Stripe: all those of an invoice together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.invoice.credit_notes import CreditDestination
from billing.invoice.key import CreditNoteKey, InvoiceKey
from storage.invoices.refunds import link_credit_notes
from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class StripeCreditNote:
    """A credit note in Stripe. `key`: ours, if its metadata names one; `amount` is before tax, `total` with it."""

    stripe_credit_note_id: str
    key: str | None
    amount: int
    settle_to: CreditDestination
    reason: str
    issued_at: datetime
    voided_at: datetime | None
    stripe_refund_ids: tuple[str, ...] = ()
    total: int | None = None


async def invoice_of_stripe(db: Database, stripe_invoice_id: str) -> str | None:
    """Return the key of the invoice with this Stripe id. None if it is not ours."""
    async with db.transaction() as connection:
        found = await connection.execute(
            statement("invoices/stripe_credit_notes", "invoice_of_stripe"), {"stripe_invoice_id": stripe_invoice_id}
        )
        return found.scalar_one_or_none()


async def bring_in_step(db: Database, stripe_invoice_id: str, notes: Sequence[StripeCreditNote]) -> str | None:
    """Adopt all credit notes that Stripe has of an invoice. Returns the invoice's key, None if it is not ours.

    Credit notes that were not requested here are recorded under Stripe's id. A voided credit note stays voided, even
    if an older list shows it as issued.
    """
    async with db.transaction() as connection:
        named = {"stripe_invoice_id": stripe_invoice_id}
        found = await connection.execute(statement("invoices/stripe_credit_notes", "lock_invoice_of_stripe"), named)
        invoice = found.first()
        if invoice is None:
            return None
        given = {"invoice_id": invoice.id, **_given(InvoiceKey.parse(invoice.key), notes)}
        await connection.execute(statement("invoices/stripe_credit_notes", "adopt"), given)
        unknown = {**given, "currency": invoice.currency}
        await connection.execute(statement("invoices/stripe_credit_notes", "add_unknown"), unknown)
        notes_by_refund = {refund: note.stripe_credit_note_id for note in notes for refund in note.stripe_refund_ids}
        await link_credit_notes(connection, invoice.id, notes_by_refund)
        key: str = invoice.key
        return key


def _given(invoice: InvoiceKey, notes: Sequence[StripeCreditNote]) -> dict[str, list[Any]]:
    """Return the credit notes as columns. Of two that name the same key, the older has it; the other gets its own."""
    ordered = sorted(notes, key=lambda note: (note.issued_at, note.stripe_credit_note_id))
    ours: dict[str, str] = {}
    for note in ordered:
        named = CreditNoteKey.in_metadata(note.key)
        if named is not None and named.invoice == invoice:
            ours.setdefault(str(named), note.stripe_credit_note_id)
    key_of = {stripe_id: key for key, stripe_id in ours.items()}
    return {
        "stripe_ids": [note.stripe_credit_note_id for note in ordered],
        "keys": [key_of.get(note.stripe_credit_note_id) for note in ordered],
        "keys_by_id": [str(CreditNoteKey(invoice, note.stripe_credit_note_id)) for note in ordered],
        "amounts": [note.amount for note in ordered],
        "totals": [note.total for note in ordered],
        "settle_to": [str(note.settle_to) for note in ordered],
        "reasons": [note.reason for note in ordered],
        "issued": [note.issued_at for note in ordered],
        "voided": [note.voided_at for note in ordered],
    }
