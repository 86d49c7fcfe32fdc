"""An invoice as JSON and for people. The fields are described in docs/command-line.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.invoice.key import CreditNoteKey
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from billing.report.canonical import format_credits, format_decimal, format_instant
from contracts.remedies import way_out
from starter.cli import tables
from starter.cli.invoices.credit import credit_note_document, credited, sentence

if TYPE_CHECKING:
    from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
    from storage.invoices.credit_notes import CreditNoteRecord
    from storage.invoices.disputes import DisputeRecord

_TIMES = (
    "claimed_at",
    "drafted_at",
    "finalized_at",
    "billed_at",
    "paid_at",
    "uncollectible_at",
    "voided_at",
    "updated_at",
)


def invoice_document(
    record: InvoiceRecord, notes: Sequence[CreditNoteRecord], disputes: Sequence[DisputeRecord]
) -> dict[str, Any]:
    """The invoice with its credit notes and disputes, as `invoices list` and `show` print it as JSON."""
    return {
        "key": record.key,
        "attribution_id": record.attribution_id,
        "billing_period": record.billing_period,
        "reason": str(record.reason),
        "state": str(record.state),
        "currency": record.currency,
        "amount": record.amount,
        "credits": format_credits(record.credits),
        "cutoff": format_instant(record.cutoff),
        "report_id": record.report_id,
        "stripe_customer_id": record.stripe_customer_id,
        "stripe_invoice_id": record.stripe_invoice_id,
        "blocked_kind": None if record.blocked_kind is None else str(record.blocked_kind),
        "blocked_reason": record.blocked_reason,
        "blocked_since": _instant(record.blocked_since),
        "found_amount": record.found_subtotal,
        "accepted_amount": record.accepted_subtotal,
        "charge_on": str(record.charge_on),
        "finalization": str(record.finalization),
        "finalize_at": _instant(record.finalize_at),
        "awaits_approval": record.awaits_approval,
        "approved_amount": record.approved_amount,
        "approved_at": _instant(record.approved_at),
        "approved_by": record.approved_by,
        "void_requested_by": record.void_requested_by,
        "void_reason": record.void_reason,
        "written_off": record.written_off,
        "payment_attempts": record.payment_attempts,
        "payment_failed_at": _instant(record.payment_failed_at),
        "rate_card": record.rate_card_digest,
        **{name: _instant(getattr(record, name)) for name in _TIMES},
        "lines": [_line(line) for line in record.lines],
        "credited": credited(notes),
        "credit_notes": [credit_note_document(note) for note in notes],
        "disputes": [_dispute(dispute) for dispute in disputes],
    }


def print_invoice(record: InvoiceRecord, notes: Sequence[CreditNoteRecord], disputes: Sequence[DisputeRecord]) -> None:
    """The invoice for people."""
    tables.say(f"{record.key}: {record.state}, {format_amount(record.amount, record.currency)}")
    _print_standing(record)
    facts = {
        "Account": record.attribution_id,
        "Period": f"{record.billing_period}, up to {record.cutoff:%Y-%m-%d %H:%M:%S} UTC ({record.reason})",
        "Credits": f"{record.credits:,f}",
        "Stripe invoice": record.stripe_invoice_id,
        "Stripe customer": record.stripe_customer_id,
        "Report": record.report_id,
        "Rate card": record.rate_card_digest,
    }
    for name, value in facts.items():
        tables.say(f"  {name + ':':17}{value or '-'}")
    for name in _TIMES:
        if at := getattr(record, name):
            tables.say(f"  {_word(name) + ':':17}{at:%Y-%m-%d %H:%M:%S} UTC")
    names = (
        "Line",
        "Class",
        "Rate from",
        "Credits/min",
        "Price/credit",
        "Duration",
        "of it earlier",
        "Credits",
        "Amount",
    )
    table = tables.make_table("", *names, right=("Line", *names[3:]))
    for line in record.lines:
        rated = line.rated
        tables.add_row(
            table,
            line.line_no,
            tables.line_name(rated),
            f"{rated.rate_from:%Y-%m-%d %H:%M} UTC",
            format_decimal(rated.credits_per_minute),
            format_decimal(rated.price_per_credit),
            tables.hours(rated.duration_us),
            tables.hours(line.carried_us) if line.carried_us else None,
            f"{rated.credits:,f}",
            format_amount(rated.amount, record.currency),
        )
    tables.print_table(table)
    for note in notes:
        tables.say(f"Credit note {CreditNoteKey.parse(note.key).reference}: {sentence(note)}")
    if off := credited(notes):
        net = format_amount(record.amount - off, record.currency)
        tables.say(f"Credited {format_amount(off, record.currency)}, which leaves {net}.")
    for dispute in disputes:
        closed = f", closed at {dispute.closed_at:%Y-%m-%d %H:%M:%S} UTC" if dispute.closed_at else ""
        tables.say(
            f"Disputed, {dispute.reason}: {format_amount(dispute.amount, dispute.currency)}, {dispute.status} "
            f"({dispute.stripe_dispute_id}, opened at {dispute.opened_at:%Y-%m-%d %H:%M:%S} UTC{closed})"
        )


def _dispute(dispute: DisputeRecord) -> dict[str, Any]:
    return {
        "stripe_dispute_id": dispute.stripe_dispute_id,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "status": dispute.status,
        "opened_at": format_instant(dispute.opened_at),
        "closed_at": _instant(dispute.closed_at),
    }


def _line(line: InvoiceLineRecord) -> dict[str, Any]:
    rated = line.rated
    return {
        "line_no": line.line_no,
        "workspace_class": rated.workspace_class,
        "rate": format_decimal(rated.credits_per_minute),
        "rate_from": format_instant(rated.rate_from),
        "rated_as_default": rated.rated_as_default,
        "price_per_credit": format_decimal(rated.price_per_credit),
        "duration_us": rated.duration_us,
        "carried_us": line.carried_us,
        "credits": format_credits(rated.credits),
        "amount": rated.amount,
        **tables.tiers_document(rated),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)


def _word(name: str) -> str:
    return name.removesuffix("_at").capitalize()


def _print_standing(record: InvoiceRecord) -> None:
    """What it waits for, and what people decided of it."""
    if record.state is InvoiceState.BLOCKED:
        tables.say(f"Blocked since {record.blocked_since:%Y-%m-%d %H:%M:%S} UTC: {record.blocked_reason}")
        tables.say(way_out(record.blocked_kind, record.key))
    if record.awaits_approval:
        tables.say(f"Waits for a person: `perdure invoices approve '{record.key}'` finalizes it.")
    if record.state is InvoiceState.DRAFT and record.finalize_at is not None:
        tables.say(f"Finalized by {record.finalize_at:%Y-%m-%d %H:%M:%S} UTC at the latest.")
    if record.approved_amount is not None and record.approved_at is not None:
        approved = format_amount(record.approved_amount, record.currency)
        tables.say(f"Approved at {approved} by {record.approved_by}, {record.approved_at:%Y-%m-%d %H:%M:%S} UTC.")
    if record.void_reason is not None:
        tables.say(f"To be voided, or voided, by {record.void_requested_by}: {record.void_reason}.")
    if record.accepted_subtotal is not None:
        accepted = format_amount(record.accepted_subtotal, record.currency)
        tables.say(f"Edited in Stripe, and accepted at {accepted} by {record.approved_by}.")
    if record.payment_failed_at is not None:
        since = f"{record.payment_failed_at:%Y-%m-%d %H:%M:%S} UTC"
        tables.say(f"Charging it failed, {record.payment_attempts} attempt(s), first seen at {since}.")
    if record.written_off:
        tables.say("Its usage is written off, and never billed again.")
