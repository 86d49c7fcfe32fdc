"""Credit notes as Stripe has them: those of an invoice are taken over as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.invoice.credit_notes import CreditDestination
from billing.invoice.key import CreditNoteKey, InvoiceKey
from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class StripeCreditNote:
    """A credit note as Stripe has it. `key` is ours when its metadata names one; `amount` is before tax."""

    stripe_credit_note_id: str
    key: str | None
    amount: int
    settle_to: CreditDestination
    reason: str
    issued_at: datetime
    voided_at: datetime | None


async def invoice_of_stripe(db: Database, stripe_invoice_id: str) -> str | None:
    """The key of the invoice that is this one in Stripe; none: it is not ours."""
    async with db.transaction() as connection:
        found = await connection.execute(
            statement("invoices/stripe_credit_notes", "invoice_of_stripe"), {"stripe_invoice_id": stripe_invoice_id}
        )
        return found.scalar_one_or_none()


async def bring_in_step(db: Database, stripe_invoice_id: str, notes: Sequence[StripeCreditNote]) -> str | None:
    """Take over all credit notes that Stripe has of an invoice; gives the invoice's key, none when it is not ours.

    Those that nobody asked us for are recorded under Stripe's id; what is voided is marked, and never comes back to
    life by an older list.
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
        key: str = invoice.key
        return key


def _given(invoice: InvoiceKey, notes: Sequence[StripeCreditNote]) -> dict[str, list[Any]]:
    """As columns. Of two that name one key the older is ours; the other is recorded for itself."""
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
        "settle_to": [str(note.settle_to) for note in ordered],
        "reasons": [note.reason for note in ordered],
        "issued": [note.issued_at for note in ordered],
        "voided": [note.voided_at for note in ordered],
    }
