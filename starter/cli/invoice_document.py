"""An invoice as JSON and for people. The fields are described in docs/command-line.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.canonical import format_credits, format_decimal, format_instant
from billing.invoice import InvoiceState
from billing.money import format_amount
from starter.cli import tables

if TYPE_CHECKING:
    from storage.disputes import DisputeRecord
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


def invoice_document(record: InvoiceRecord, disputes: Sequence[DisputeRecord] = ()) -> dict[str, Any]:
    """The invoice as `invoices list --json` and `invoices show --json` print it."""
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
        "disputes": [_dispute(dispute) for dispute in disputes],
    }


def print_invoice(record: InvoiceRecord, disputes: Sequence[DisputeRecord] = ()) -> None:
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
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)


def _word(name: str) -> str:
    return name.removesuffix("_at").capitalize()
