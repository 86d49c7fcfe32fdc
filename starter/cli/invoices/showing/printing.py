"""An invoice for people."""

from __future__ import annotations

from collections.abc import Sequence

from billing.invoice.key import CreditNoteKey
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount
from billing.report.canonical import format_decimal
from billing.text import plural
from contracts.remedies import way_out
from starter.cli import output, states
from starter.cli.invoices.credit_document import credited, net, sentence
from starter.cli.invoices.document import TIMES
from starter.words import lines
from starter.words.names import named
from storage.decisions.trail import DecisionRecord
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.refunds import RefundRecord


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
        "Account": named(record.attribution_id, record.account_name),
        "Period": f"{record.billing_period}, {_span(record)} ({record.reason})",
        "Credits": f"{record.credits:,f}",
        "Number": record.stripe_number,
        "Stripe invoice": record.stripe_invoice_id,
        "Total in Stripe": _stripe_total(record),
        "Stripe customer": record.stripe_customer_id,
        "Report": record.report_id,
        "Rate card": record.rate_card_digest,
    }
    for name, value in facts.items():
        output.say(f"  {name + ':':17}{value or '-'}")
    for name in TIMES:
        if at := getattr(record, name):
            output.say(f"  {_word(name) + ':':17}{output.when(at)}")
    _print_lines(record)
    states.print_note([record.state])
    for note in notes:
        output.say(f"Credit note {CreditNoteKey.parse(note.key).reference}: {sentence(note)}")
    if record.state in DEAD:
        output.say(f"It is {record.state}: the customer owes nothing for it.")
    elif off := credited(notes):
        left = format_amount(net(record, notes), record.currency)
        output.say(f"Credited {format_amount(off, record.currency)}, which leaves {left}.")
    for text in (*map(dispute_sentence, disputes), *map(refund_sentence, refunds)):
        output.say(text)


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
    if base != record.amount + record.edited:
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
            output.clock(line.carried_us) if line.carried_us else None,
            f"{rated.credits:,.2f}",
            format_amount(rated.amount, record.currency),
        )
    output.print_table(table)


def dispute_sentence(dispute: DisputeRecord) -> str:
    """Describe a dispute for people, in one line."""
    closed = f", closed at {output.when(dispute.closed_at)}" if dispute.closed_at else ""
    return (
        f"Disputed, {dispute.reason}: {format_amount(dispute.amount, dispute.currency)}, {dispute.status} "
        f"({dispute.stripe_dispute_id}, opened at {output.when(dispute.opened_at)}{closed})"
    )


def refund_sentence(refund: RefundRecord) -> str:
    """Describe a refund for people, in one line."""
    note = refund.stripe_credit_note_id
    source = "in Stripe, without a credit note" if note is None else f"by credit note {note}"
    reason = f", {refund.reason}" if refund.reason else ""
    return (
        f"Refunded {source}{reason}: {format_amount(refund.amount, refund.currency)}, {refund.status} "
        f"({refund.stripe_refund_id}, {output.when(refund.created_at)})"
    )


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
        change = format_amount(record.edited, record.currency)
        output.say(f"Edited in Stripe, by {change}; accepted at {accepted} by {record.approved_by}.")
    if record.payment_failed_at is not None:
        output.say(_failed_payment(record, output.when(record.payment_failed_at)))
    if record.collection_stopped_at is not None:
        since = output.when(record.collection_stopped_at)
        output.say(f"Stripe no longer charges it by itself, seen at {since}: `auto_advance` is off there.")
    if record.written_off:
        output.say("Its usage is written off and never billed again.")


def print_decisions(decisions: Sequence[DecisionRecord]) -> None:
    """Print what people decided about the invoice. Nothing if there is nothing."""
    for each in decisions:
        what = str(each.kind).replace("_", " ")
        why = f": {each.reason}" if each.reason else ""
        output.say(f"Decided by {each.decided_by}, {output.when(each.decided_at)}: {what}{why}.")
