"""An invoice as JSON and for people. docs/command-line.md describes the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.invoice.key import CreditNoteKey
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from billing.report.canonical import format_credits, format_decimal, format_instant
from billing.text import plural
from contracts.remedies import way_out
from starter.cli import output, states
from starter.cli.invoices.credit_document import credit_note_document, credited, sentence
from starter.words import lines
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.refunds import RefundRecord

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
    record: InvoiceRecord,
    notes: Sequence[CreditNoteRecord],
    disputes: Sequence[DisputeRecord],
    refunds: Sequence[RefundRecord],
) -> dict[str, Any]:
    """Return the JSON of `invoices list` and `show`: an invoice with its credit notes, disputes and refunds."""
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
        "service_start": output.json_instant(record.service_start),
        "report_id": record.report_id,
        "stripe_customer_id": record.stripe_customer_id,
        "stripe_invoice_id": record.stripe_invoice_id,
        "blocked_kind": None if record.blocked_kind is None else str(record.blocked_kind),
        "blocked_reason": record.blocked_reason,
        "blocked_since": output.json_instant(record.blocked_since),
        "found_amount": record.found_subtotal,
        "accepted_amount": record.accepted_subtotal,
        "charge_on": str(record.charge_on),
        "finalization": str(record.finalization),
        "finalize_at": output.json_instant(record.finalize_at),
        **_decisions(record),
        **_in_stripe(record),
        "rate_card": record.rate_card_digest,
        **{name: output.json_instant(getattr(record, name)) for name in _TIMES},
        "lines": [_line(line) for line in record.lines],
        "credited": credited(notes),
        "credit_notes": [credit_note_document(note) for note in notes],
        "disputes": [_dispute(dispute) for dispute in disputes],
        "refunds": [_refund(refund) for refund in refunds],
    }


def _in_stripe(record: InvoiceRecord) -> dict[str, Any]:
    return {
        "stripe_total": record.stripe_total,
        "stripe_discount": record.stripe_discount,
        "stripe_tax": record.stripe_tax,
        "payment_attempts": record.payment_attempts,
        "payment_failed_at": output.json_instant(record.payment_failed_at),
        "collection_stopped_at": output.json_instant(record.collection_stopped_at),
    }


def _decisions(record: InvoiceRecord) -> dict[str, Any]:
    return {
        "awaits_approval": record.awaits_approval,
        "approved_amount": record.approved_amount,
        "approved_at": output.json_instant(record.approved_at),
        "approved_by": record.approved_by,
        "void_requested_by": record.void_requested_by,
        "void_reason": record.void_reason,
        "written_off": record.written_off,
    }


def print_invoice(
    record: InvoiceRecord,
    notes: Sequence[CreditNoteRecord],
    disputes: Sequence[DisputeRecord],
    refunds: Sequence[RefundRecord],
) -> None:
    """Print the invoice for people."""
    output.say(f"{record.key}: {record.state}, {format_amount(record.amount, record.currency)}")
    _print_standing(record)
    facts = {
        "Account": record.attribution_id,
        "Period": f"{record.billing_period}, {_span(record)} ({record.reason})",
        "Credits": f"{record.credits:,f}",
        "Stripe invoice": record.stripe_invoice_id,
        "Total in Stripe": _stripe_total(record),
        "Stripe customer": record.stripe_customer_id,
        "Report": record.report_id,
        "Rate card": record.rate_card_digest,
    }
    for name, value in facts.items():
        output.say(f"  {name + ':':17}{value or '-'}")
    for name in _TIMES:
        if at := getattr(record, name):
            output.say(f"  {_word(name) + ':':17}{output.when(at)}")
    _print_lines(record)
    states.print_note([record.state])
    for note in notes:
        output.say(f"Credit note {CreditNoteKey.parse(note.key).reference}: {sentence(note)}")
    if off := credited(notes):
        net = format_amount(record.amount - off, record.currency)
        output.say(f"Credited {format_amount(off, record.currency)}, which leaves {net}.")
    for dispute in disputes:
        closed = f", closed at {output.when(dispute.closed_at)}" if dispute.closed_at else ""
        output.say(
            f"Disputed, {dispute.reason}: {format_amount(dispute.amount, dispute.currency)}, {dispute.status} "
            f"({dispute.stripe_dispute_id}, opened at {output.when(dispute.opened_at)}{closed})"
        )
    for refund in refunds:
        output.say(_refund_sentence(refund))


def _span(record: InvoiceRecord) -> str:
    cycle = f"from {output.when(record.service_start)} " if record.service_start else ""
    return f"{cycle}up to {output.when(record.cutoff)}"


def _stripe_total(record: InvoiceRecord) -> str | None:
    """Return Stripe's total with what alters it; None before the invoice is finalized."""
    if record.stripe_total is None:
        return None
    altered = [
        f"{sign} {format_amount(amount, record.currency)} {what}"
        for sign, amount, what in (("-", record.stripe_discount, "discounts"), ("+", record.stripe_tax, "tax"))
        if amount
    ]
    base = record.stripe_total + (record.stripe_discount or 0) - (record.stripe_tax or 0)
    if base != record.amount:
        altered.insert(0, f"{format_amount(base, record.currency)} with Stripe's other lines")
    total = format_amount(record.stripe_total, record.currency)
    return f"{total} ({' '.join(altered)})" if altered else total


def _print_lines(record: InvoiceRecord) -> None:
    names = (
        "Line",
        "Class",
        "Rate from",
        "Credits/min",
        "Price/credit",
        "Duration",
        "From earlier periods",
        "Credits",
        "Amount",
    )
    table = output.make_table("", *names, right=("Line", *names[3:]))
    for line in record.lines:
        rated = line.rated
        output.add_row(
            table,
            line.line_no,
            lines.line_name(rated),
            output.when(rated.rate_from, "minutes"),
            format_decimal(rated.credits_per_minute),
            format_decimal(rated.price_per_credit),
            lines.line_hours(rated),
            output.hours(line.carried_us) if line.carried_us else None,
            f"{rated.credits:,f}",
            format_amount(rated.amount, record.currency),
        )
    output.print_table(table)


def _dispute(dispute: DisputeRecord) -> dict[str, Any]:
    return {
        "stripe_dispute_id": dispute.stripe_dispute_id,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "status": dispute.status,
        "opened_at": format_instant(dispute.opened_at),
        "closed_at": output.json_instant(dispute.closed_at),
    }


def _refund(refund: RefundRecord) -> dict[str, Any]:
    return {
        "stripe_refund_id": refund.stripe_refund_id,
        "stripe_credit_note_id": refund.stripe_credit_note_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason or None,
        "status": refund.status,
        "created_at": format_instant(refund.created_at),
    }


def _refund_sentence(refund: RefundRecord) -> str:
    note = refund.stripe_credit_note_id
    source = "in Stripe, without a credit note" if note is None else f"by credit note {note}"
    reason = f", {refund.reason}" if refund.reason else ""
    return (
        f"Refunded {source}{reason}: {format_amount(refund.amount, refund.currency)}, {refund.status} "
        f"({refund.stripe_refund_id}, {output.when(refund.created_at)})"
    )


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
        **lines.pricing_document(rated),
    }


def _word(name: str) -> str:
    return name.removesuffix("_at").capitalize()


def _failed_payment(record: InvoiceRecord, since: str) -> str:
    """Say that payments failed, and what happens next."""
    if record.state is InvoiceState.PAID:
        return f"Paid; an earlier attempt failed, seen at {since}."
    failed = f"Payment failed: {plural(record.payment_attempts, 'attempt')}, first failure seen at {since}."
    if record.state is not InvoiceState.BILLED or record.collection_stopped_at is not None:
        return failed
    return f"{failed} Stripe tries again, as your settings there say: nothing to do here."


def _print_standing(record: InvoiceRecord) -> None:
    """Print what the invoice waits for, and what people have decided about it."""
    if record.state is InvoiceState.BLOCKED:
        output.say(f"Blocked since {output.when(record.blocked_since)}: {record.blocked_reason}")
        output.say(way_out(record.blocked_kind, record.key))
    if record.awaits_approval:
        output.say(f"Awaits approval: `perdure invoices approve '{record.key}'` finalizes it.")
    if record.state is InvoiceState.DRAFT and record.finalize_at is not None:
        output.say(f"Will be finalized by {output.when(record.finalize_at)} at the latest.")
    if record.approved_amount is not None and record.approved_at is not None:
        approved = format_amount(record.approved_amount, record.currency)
        output.say(f"Approved at {approved} by {record.approved_by}, {output.when(record.approved_at)}.")
    if record.void_reason is not None:
        output.say(f"Void requested by {record.void_requested_by}: {record.void_reason}.")
    if record.accepted_subtotal is not None:
        accepted = format_amount(record.accepted_subtotal, record.currency)
        output.say(f"Edited in Stripe; accepted at {accepted} by {record.approved_by}.")
    if record.payment_failed_at is not None:
        output.say(_failed_payment(record, output.when(record.payment_failed_at)))
    if record.collection_stopped_at is not None:
        since = output.when(record.collection_stopped_at)
        output.say(f"Stripe no longer charges it by itself, seen at {since}: `auto_advance` is off there.")
    if record.written_off:
        output.say("Its usage is written off and never billed again.")
