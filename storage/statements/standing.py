"""How an invoice stands, for its customer: whether it is an invoice at all, and what makes its total."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.key import CreditNoteKey
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.statement.model import EDITED, Adjustment, StatementCredit, StatementMark, StatementRefund
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.refunds import RefundRecord

_MARKS = {
    InvoiceState.FINALIZED: StatementMark.OPEN,
    InvoiceState.BILLED: StatementMark.OPEN,
    InvoiceState.PAID: StatementMark.PAID,
    InvoiceState.UNCOLLECTIBLE: StatementMark.UNCOLLECTIBLE,
    InvoiceState.VOIDED: StatementMark.VOIDED,
    InvoiceState.DELETED: StatementMark.DELETED,
}

_UNFINISHED = (InvoiceState.CLAIMED, InvoiceState.DRAFT)


def mark_of(record: InvoiceRecord) -> StatementMark:
    """Return what a statement of the invoice is of. A blocked invoice that was finalized is in review."""
    if record.state is InvoiceState.BLOCKED and record.reached not in _UNFINISHED:
        return StatementMark.REVIEW
    return _MARKS.get(record.state, StatementMark.PREVIEW)


def ended_at(record: InvoiceRecord) -> datetime | None:
    """Return when the invoice was paid, voided or given up; None if it was not."""
    return {
        StatementMark.PAID: record.paid_at,
        StatementMark.UNCOLLECTIBLE: record.uncollectible_at,
        StatementMark.VOIDED: record.voided_at,
        StatementMark.DELETED: record.voided_at,
    }.get(mark_of(record))


def total_known(record: InvoiceRecord) -> bool:
    """Return whether Stripe's total is that of this invoice, and not of the invoice that a rebuild replaces."""
    return record.stripe_total is not None and record.reached not in _UNFINISHED


def adjustments_of(record: InvoiceRecord) -> tuple[Adjustment, ...]:
    """Return what Stripe's total has besides our lines; before the total is known, the accepted edit alone."""
    other = discount = tax = 0
    if record.stripe_total is not None and total_known(record):
        discount, tax = record.stripe_discount or 0, record.stripe_tax or 0
        other = record.stripe_total + discount - tax - record.amount - record.edited
    found = (
        Adjustment(EDITED, record.edited),
        Adjustment("Other lines of the invoice in Stripe", other),
        Adjustment("Discounts", -discount),
        Adjustment("Tax", tax),
    )
    return tuple(each for each in found if each.amount)


def issued(notes: Sequence[CreditNoteRecord]) -> tuple[StatementCredit, ...]:
    """Return the credit notes that Stripe has; a customer sees no others."""
    return tuple(
        StatementCredit(
            CreditNoteKey.parse(note.key).reference,
            note.stripe_credit_note_id,
            note.reason,
            note.amount,
            note.issued_at,
        )
        for note in notes
        if note.state is CreditNoteState.ISSUED
    )


def paid_back(refunds: Sequence[RefundRecord]) -> tuple[StatementRefund, ...]:
    """Return the refunds, each with its status."""
    return tuple(
        StatementRefund(each.stripe_refund_id, each.amount, each.status, each.reason, each.created_at)
        for each in refunds
    )
