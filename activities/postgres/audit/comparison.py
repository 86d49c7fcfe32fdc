"""Holds an invoice against what Stripe has of it: what differs, and whether it may only be in motion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.audit.checks import Check
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.invoice.policy import ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount
from contracts import stripe_metadata
from contracts.messages.audit import StripeInvoiceFacts
from contracts.messages.invoices import lines_digest
from reconciliation.stripe_lines import expected_lines

_S = InvoiceState
_GONE = frozenset({"void", "deleted"})
_DUE = frozenset({"open", "paid", "uncollectible"})

AGREEING: dict[InvoiceState, frozenset[str]] = {
    _S.CLAIMED: frozenset({"draft"}),
    _S.DRAFT: frozenset({"draft"}),
    _S.FINALIZED: frozenset({"open"}),
    _S.BILLED: frozenset({"open"}),
    _S.PAID: frozenset({"paid"}),
    _S.UNCOLLECTIBLE: frozenset({"uncollectible"}),
    _S.VOIDED: _GONE,
    _S.DELETED: _GONE,
    # A person decides what becomes of it, whatever was done in Stripe; that it is gone is taken over all the same.
    _S.BLOCKED: _DUE | {"draft"},
}
"""Stripe's status by our state, when nothing is under way."""

_CONTENT_COUNTS = frozenset({_S.DRAFT, _S.FINALIZED, _S.BILLED, _S.PAID, _S.UNCOLLECTIBLE})
"""Elsewhere it is being filled, waits for a person because it differs, or is owed no more."""


@dataclass
class Compared:
    """What of one Stripe invoice differs, by check. `known`: it is one that Postgres takes for its own."""

    findings: list[tuple[Check, Finding]] = field(default_factory=list)
    known: InvoiceRecord | None = None


def compare(
    facts: StripeInvoiceFacts, by_id: InvoiceRecord | None, by_key: InvoiceRecord | None, attribution_id: str | None
) -> Compared:
    """What differs of an invoice in Stripe.

    Args:
        facts: what Stripe has.
        by_id: the invoice that names it as its Stripe invoice.
        by_key: the invoice that its metadata names.
        attribution_id: whose it is, when it is no invoice that Postgres knows.
    """
    if by_id is not None:
        return Compared(_differences(facts, by_id), by_id)
    if facts.status in _GONE or (by_key is not None and _on_its_way(facts, by_key)):
        return Compared()
    if by_key is None:
        what = f"{_amount(facts)}, {facts.status}, says it is {facts.metadata.get(stripe_metadata.INVOICE)}"
        return Compared([_unknown(Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, facts, attribution_id, what)])
    owner = by_key.attribution_id
    if by_key.state in DEAD or by_key.stripe_invoice_id is None:
        what = f"{_amount(facts)}, {facts.status}, while the invoice is {by_key.state} and names no such invoice"
        return Compared([_unknown(Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, facts, owner, what)])
    what = f"{_amount(facts)}, {facts.status}, beside {by_key.stripe_invoice_id}, which Postgres takes for it"
    return Compared([_unknown(Check.STRIPE_HAS_OURS, Kind.TWICE_IN_STRIPE, facts, owner, what)])


def in_motion(facts: StripeInvoiceFacts, record: InvoiceRecord | None, now: datetime, settle: timedelta) -> bool:
    """Whether either side has changed so lately that the other may not know yet."""
    times = (facts.changed_at, None if record is None else record.updated_at)
    return any(at is not None and timedelta() <= now - at < settle for at in times)


def _on_its_way(facts: StripeInvoiceFacts, record: InvoiceRecord) -> bool:
    """Its creation, or that of its successor, is under way, or stuck: another check tells of what is stuck."""
    if facts.stripe_invoice_id == record.replaces_stripe_invoice_id:
        return True
    making = _S.CLAIMED in (record.state, record.resume_state)
    return making and record.stripe_invoice_id is None and facts.status == "draft"


def _differences(facts: StripeInvoiceFacts, record: InvoiceRecord) -> list[tuple[Check, Finding]]:
    if record.state in DEAD and _let_go(facts, record):
        return []
    if facts.status == "deleted" and record.state not in DEAD:
        return [_differs(Kind.MISSING_IN_STRIPE, record, f"the invoice is {record.state}", Check.STRIPE_HAS_OURS)]
    found = []
    if facts.status not in AGREEING[record.state]:
        found.append(_differs(Kind.STATUS_DIFFERS, record, f"{facts.status} in Stripe, {record.state} in Postgres"))
    if record.state not in _CONTENT_COUNTS or facts.status in _GONE:
        return found
    return found + _content(facts, record)


def _let_go(facts: StripeInvoiceFacts, record: InvoiceRecord) -> bool:
    """A subscription's invoice, from which our lines were taken, goes on without us."""
    taken_off = record.charge_on is ChargeOn.SUBSCRIPTION and facts.our_lines_digest in ("", lines_digest([]))
    return taken_off or facts.status in _GONE


def _content(facts: StripeInvoiceFacts, record: InvoiceRecord) -> list[tuple[Check, Finding]]:
    found = []
    for kind, what, theirs, ours in (
        (Kind.CUSTOMER_DIFFERS, "customer", facts.stripe_customer_id, record.stripe_customer_id),
        (Kind.CURRENCY_DIFFERS, "currency", facts.currency, record.currency),
    ):
        if theirs != ours:
            found.append(_differs(kind, record, f"{what} {theirs} in Stripe, {ours} in Postgres"))
    own = record.charge_on is ChargeOn.OWN
    amount, digest = (facts.subtotal, facts.lines_digest) if own else (facts.our_amount, facts.our_lines_digest)
    wanted, wanted_digest = record.amount, record.accepted_digest or lines_digest(expected_lines(record))
    if record.accepted_subtotal is not None:
        wanted = record.accepted_subtotal
    if amount != wanted:
        theirs, ours = format_amount(amount, facts.currency), format_amount(wanted, record.currency)
        found.append(_differs(Kind.AMOUNT_DIFFERS, record, f"{theirs} before tax in Stripe, {ours} in Postgres"))
    elif digest != wanted_digest:
        what = f"its lines come to {format_amount(amount, facts.currency)} as ours do, but are others"
        found.append(_differs(Kind.LINES_DIFFER, record, what))
    for key, ours in (
        (stripe_metadata.INVOICE, record.key),
        (stripe_metadata.REPORT_ID, record.report_id),
        (stripe_metadata.ATTRIBUTION_ID, record.attribution_id),
        (stripe_metadata.BILLING_PERIOD, record.billing_period),
    ):
        if facts.metadata.get(key) != ours:
            what = f"metadata {key}: {facts.metadata.get(key) or 'none'} in Stripe, {ours} in Postgres"
            found.append(_differs(Kind.METADATA_DIFFERS, record, what))
    return found


def _amount(facts: StripeInvoiceFacts) -> str:
    return format_amount(facts.subtotal, facts.currency)


def _differs(
    kind: Kind, record: InvoiceRecord, detail: str, check: Check = Check.STRIPE_SAYS_THE_SAME
) -> tuple[Check, Finding]:
    return check, Finding(
        kind=kind,
        detail=detail,
        attribution_id=record.attribution_id,
        invoice_key=record.key,
        stripe_id=record.stripe_invoice_id,
        report_id=record.report_id,
    )


def _unknown(
    check: Check, kind: Kind, facts: StripeInvoiceFacts, attribution_id: str | None, detail: str
) -> tuple[Check, Finding]:
    return check, Finding(
        kind=kind,
        detail=detail,
        attribution_id=attribution_id,
        invoice_key=facts.metadata.get(stripe_metadata.INVOICE),
        stripe_id=facts.stripe_invoice_id,
        report_id=facts.metadata.get(stripe_metadata.REPORT_ID),
    )
