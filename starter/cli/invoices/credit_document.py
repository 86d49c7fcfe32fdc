"""A credit note as JSON and for people. docs/command-line.md describes the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.invoice.credit_notes import CreditKind, CreditNoteState
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.money import format_amount
from billing.report.canonical import format_instant
from starter.cli import output
from storage.invoices.credit_notes import CreditNoteRecord


def credit_note_document(note: CreditNoteRecord) -> dict[str, Any]:
    """Return the credit note as JSON, the same for every command."""
    return {
        "key": note.key,
        "invoice_key": note.invoice_key,
        "attribution_id": note.attribution_id,
        "account_name": note.account_name,
        "kind": str(note.kind),
        "line_no": note.line_no,
        "instance_id": note.instance_id,
        "amount": note.amount,
        "total": note.total,
        "currency": note.currency,
        "lines": [{"line_no": line_no, "amount": amount} for line_no, amount in sorted(note.parts.items())],
        "to": str(note.settle_to),
        "reason": note.reason,
        "state": str(note.state),
        "blocked_reason": note.blocked_reason,
        "stripe_credit_note_id": note.stripe_credit_note_id,
        "requested_at": format_instant(note.requested_at),
        "issued_at": output.json_instant(note.issued_at),
        "voided_at": output.json_instant(note.voided_at),
    }


def credited(notes: Sequence[CreditNoteRecord]) -> int:
    """Return the total of the issued credit notes, in minor units."""
    return sum(note.amount for note in notes if note.state is CreditNoteState.ISSUED)


def net(record: InvoiceRecord, notes: Sequence[CreditNoteRecord]) -> int:
    """Return what is left of an invoice after edits in Stripe and credits, in minor units; nothing of a dead one."""
    return 0 if record.state in DEAD else record.amount + record.edited - credited(notes)


def sentence(note: CreditNoteRecord) -> str:
    """Describe the credit note for people, in one line."""
    of = {
        CreditKind.AMOUNT: "the invoice",
        CreditKind.LINE: f"line {note.line_no}",
        CreditKind.INSTANCE: f"instance {note.instance_id}",
        CreditKind.CORRECTION: "the invoice, as corrected",
    }[note.kind]
    with_tax = "" if note.total in (None, note.amount) else f" ({format_amount(note.total, note.currency)} with tax)"
    text = f"{format_amount(note.amount, note.currency)}{with_tax} of {of}, {note.state}: {note.reason}"
    if note.state is CreditNoteState.BLOCKED:
        text += f" -- blocked: {note.blocked_reason}"
    return text
