"""Everything that happened to an invoice, with who and when, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.key import CreditNoteKey
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from starter.words.reasons import plain
from storage.decisions.trail import DecisionKind, DecisionRecord
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.refunds import RefundRecord

DECIDED: Mapping[DecisionKind, str] = {
    DecisionKind.APPROVE: "Approved",
    DecisionKind.NOT_YET: "Not approved yet",
    DecisionKind.ACCEPT: "Stripe's figures accepted",
    DecisionKind.REBUILD: "Rebuild from our lines requested",
    DecisionKind.RETRY: "Retry requested",
    DecisionKind.VOID: "Void requested",
    DecisionKind.WRITE_OFF: "Write-off requested",
    DecisionKind.CREDIT: "Credit requested",
    DecisionKind.RETRY_CREDIT: "Retry of the credit requested",
    DecisionKind.WITHDRAW_CREDIT: "Credit withdrawn",
}
"""What a person decided about an invoice, in words."""


@dataclass(frozen=True)
class InvoiceEvent:
    """Something that happened. `by`: who decided it; `why`: the reason that was given; both "" if nobody did."""

    at: datetime
    what: str
    by: str = ""
    why: str = ""


def timeline(
    record: InvoiceRecord,
    decisions: Sequence[DecisionRecord],
    notes: Sequence[CreditNoteRecord],
    disputes: Sequence[DisputeRecord],
    refunds: Sequence[RefundRecord],
) -> list[InvoiceEvent]:
    """Return what happened to the invoice, oldest first."""
    found = [*_states(record), *_standing(record), *_decided(record, decisions)]
    for note in notes:
        found += _credit(note)
    for dispute in disputes:
        found += _dispute(dispute)
    for refund in refunds:
        amount = format_amount(refund.amount, refund.currency)
        found.append(InvoiceEvent(refund.created_at, f"Refund of {amount}: {refund.status}", why=refund.reason))
    # Stripe's instants are whole seconds, so those of one second keep the order in which they are listed here.
    return sorted(found, key=lambda event: event.at.replace(microsecond=0))


def _states(record: InvoiceRecord) -> Iterator[InvoiceEvent]:
    ended = "Deleted in Stripe" if record.state is InvoiceState.DELETED else "Voided"
    reached = (
        (record.claimed_at, f"Created for {format_amount(record.amount, record.currency)}: its usage is claimed"),
        (record.drafted_at, "Draft in Stripe"),
        (record.finalized_at, "Finalized in Stripe"),
        (record.billed_at, "Billed: our books and Stripe's lines agree"),
        (record.paid_at, "Paid"),
        (record.uncollectible_at, "Marked as uncollectible in Stripe"),
        (record.voided_at, f"{ended}{', its usage written off' if record.written_off else ''}"),
    )
    return (InvoiceEvent(at, what) for at, what in reached if at is not None)


def _standing(record: InvoiceRecord) -> Iterator[InvoiceEvent]:
    if record.blocked_since is not None:
        yield InvoiceEvent(record.blocked_since, "Blocked", why=plain(record.blocked_reason or ""))
    if record.payment_failed_at is not None:
        attempts = f"{record.payment_attempts:,} attempt{'' if record.payment_attempts == 1 else 's'} so far"
        yield InvoiceEvent(record.payment_failed_at, f"First failed payment seen; {attempts}")
    if record.collection_stopped_at is not None:
        yield InvoiceEvent(record.collection_stopped_at, "Stripe no longer charges it by itself: `auto_advance` is off")


def _decided(record: InvoiceRecord, decisions: Sequence[DecisionRecord]) -> Iterator[InvoiceEvent]:
    """Yield the decisions; those from before there was a trail stand in the invoice alone."""
    for each in decisions:
        subject = ""
        if each.subject != record.key:
            subject = f": {CreditNoteKey.parse(each.subject).reference}"
        what = DECIDED.get(each.kind, str(each.kind).replace("_", " ").capitalize())
        yield InvoiceEvent(each.decided_at, f"{what}{subject}", each.decided_by, each.reason)
    kinds = {each.kind for each in decisions}
    if record.approved_at is not None and not kinds & {DecisionKind.APPROVE, DecisionKind.ACCEPT}:
        yield InvoiceEvent(record.approved_at, "Approved", record.approved_by or "")


def _credit(note: CreditNoteRecord) -> Iterator[InvoiceEvent]:
    amount = format_amount(note.amount, note.currency)
    if note.issued_at is not None:
        yield InvoiceEvent(note.issued_at, f"Credit note of {amount} issued", why=note.reason)
    elif note.state is CreditNoteState.BLOCKED:
        yield InvoiceEvent(note.requested_at, f"Credit note of {amount} blocked", why=plain(note.blocked_reason or ""))
    if note.voided_at is not None:
        yield InvoiceEvent(note.voided_at, f"Credit note of {amount} voided")


def _dispute(dispute: DisputeRecord) -> Iterator[InvoiceEvent]:
    amount = format_amount(dispute.amount, dispute.currency)
    yield InvoiceEvent(dispute.opened_at, f"Payment of {amount} disputed", why=dispute.reason.replace("_", " "))
    if dispute.closed_at is not None:
        yield InvoiceEvent(dispute.closed_at, f"Dispute closed: {dispute.status.replace('_', ' ')}")
