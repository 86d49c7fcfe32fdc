"""An invoice as JSON and for people. The fields are described in docs/command-line.md."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.canonical import format_credits, format_decimal, format_instant
from billing.invoice import InvoiceState
from billing.money import format_amount
from starter.cli import tables
from starter.cli.invoice_credit import credit_note_document, credited, sentence

if TYPE_CHECKING:
    from storage.credit_notes import CreditNoteRecord
    from storage.invoices import InvoiceLineRecord, InvoiceRecord

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


def invoice_document(record: InvoiceRecord, notes: list[CreditNoteRecord]) -> dict[str, Any]:
    """The invoice, with its credit notes, as `invoices list --json` and `invoices show --json` print it."""
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
        "blocked_reason": record.blocked_reason,
        "blocked_since": _instant(record.blocked_since),
        "rate_card": record.rate_card_digest,
        **{name: _instant(getattr(record, name)) for name in _TIMES},
        "lines": [_line(line) for line in record.lines],
        "credited": credited(notes),
        "credit_notes": [credit_note_document(note) for note in notes],
    }


def print_invoice(record: InvoiceRecord, notes: list[CreditNoteRecord]) -> None:
    """The invoice for people."""
    tables.say(f"{record.key}: {record.state}, {format_amount(record.amount, record.currency)}")
    if record.state is InvoiceState.BLOCKED:
        tables.say(f"Blocked since {record.blocked_since:%Y-%m-%d %H:%M:%S} UTC: {record.blocked_reason}")
        tables.say(f"Mend the cause, then `perdure invoices retry '{record.key}'`.")
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
            rated.workspace_class + (" (as default)" if rated.rated_as_default else ""),
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
        tables.say(f"Credit note {note.key.rpartition('/')[2]}: {sentence(note)}")
    if off := credited(notes):
        net = format_amount(record.amount - off, record.currency)
        tables.say(f"Credited {format_amount(off, record.currency)}, which leaves {net}.")


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
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)


def _word(name: str) -> str:
    return name.removesuffix("_at").capitalize()
