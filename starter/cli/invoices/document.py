"""An invoice as JSON and for people. docs/command-line.md describes the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.report.canonical import format_credits, format_decimal, format_instant
from starter.cli import output
from starter.cli.invoices.credit_document import credit_note_document, credited, net
from starter.words import lines
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.refunds import RefundRecord

TIMES = (
    "claimed_at",
    "drafted_at",
    "finalized_at",
    "billed_at",
    "paid_at",
    "uncollectible_at",
    "voided_at",
    "updated_at",
)
"""The instants of an invoice."""


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
        "account_name": record.account_name,
        "billing_period": record.billing_period,
        "reason": str(record.reason),
        "state": str(record.state),
        "currency": record.currency,
        "amount": record.amount,
        "credits": format_credits(record.credits),
        "cutoff": format_instant(record.cutoff),
        "service_start": output.json_instant(record.service_start),
        "report_id": record.report_id,
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
        **{name: output.json_instant(getattr(record, name)) for name in TIMES},
        "lines": [_line(line) for line in record.lines],
        "edited": record.edited,
        "credited": credited(notes),
        "net": net(record, notes),
        "credit_notes": [credit_note_document(note) for note in notes],
        "disputes": [_dispute(dispute) for dispute in disputes],
        "refunds": [_refund(refund) for refund in refunds],
    }


def _in_stripe(record: InvoiceRecord) -> dict[str, Any]:
    return {
        "stripe_customer_id": record.stripe_customer_id,
        "stripe_invoice_id": record.stripe_invoice_id,
        "stripe_number": record.stripe_number,
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
