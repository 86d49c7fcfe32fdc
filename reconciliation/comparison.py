"""Compares an invoice with Stripe's facts: what differs, and whether it may only be in motion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.invoice.policy import ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount
from contracts import stripe_metadata
from contracts.messages.audit import StripeInvoiceFacts
from reconciliation.books import expected_metadata
from reconciliation.figures import expected_figures, lines_digest

_S = InvoiceState
_GONE = frozenset({"void", "deleted"})
_DUE = frozenset({"open", "paid", "uncollectible"})
_AGAIN_AFTER_AT_LEAST = timedelta(seconds=1)
_AGAIN_AFTER_AT_MOST = timedelta(seconds=30)

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


Differences = list[tuple[Check, Finding]]
"""What differs of one Stripe invoice, each with the check that it belongs to."""


class KnownInvoices:
    """What Postgres knows of a page of Stripe's invoices."""

    def __init__(
        self, records: Iterable[InvoiceRecord], accounts: Collection[str], customers: Mapping[str, str]
    ) -> None:
        """`accounts`: those that exist; `customers`: the account of each Stripe customer."""
        self._accounts = accounts
        self._customers = customers
        self._by_key = {record.key: record for record in records}
        self._by_id = {record.stripe_invoice_id: record for record in self._by_key.values()}

    def by_id(self, facts: StripeInvoiceFacts) -> InvoiceRecord | None:
        """The invoice that names it as its Stripe invoice."""
        return self._by_id.get(facts.stripe_invoice_id)

    def by_key(self, facts: StripeInvoiceFacts) -> InvoiceRecord | None:
        """The invoice that its metadata names."""
        return self._by_key.get(named(facts, stripe_metadata.INVOICE))

    def account_of(self, facts: StripeInvoiceFacts) -> str | None:
        """The account that its metadata names, else its customer's."""
        account = named(facts, stripe_metadata.ATTRIBUTION_ID)
        return account if account in self._accounts else self._customers.get(facts.stripe_customer_id or "")

    def is_foreign(self, facts: StripeInvoiceFacts) -> bool:
        """Whether nothing of it is known here, not even its account: another deployment may bill it."""
        return self.by_id(facts) is None and self.by_key(facts) is None and self.account_of(facts) is None

    def in_scope(self, facts: StripeInvoiceFacts, scope: AuditScope) -> bool:
        """Whether the audit is over its period and account."""
        record = self.by_id(facts) or self.by_key(facts)
        if record is not None:
            period, account = record.billing_period, record.attribution_id
        else:
            period, account = named(facts, stripe_metadata.BILLING_PERIOD), self.account_of(facts) or ""
        return scope.period in (None, period) and scope.attribution_id in (None, account)

    def compare(self, facts: StripeInvoiceFacts) -> Differences:
        """What of it differs from Postgres."""
        return compare(facts, self.by_id(facts), self.by_key(facts), self.account_of(facts))


def named(facts: StripeInvoiceFacts, key: str) -> str:
    """What its metadata names under this key; empty if nothing."""
    return facts.metadata.get(key, "")


def compare(
    facts: StripeInvoiceFacts, by_id: InvoiceRecord | None, by_key: InvoiceRecord | None, attribution_id: str | None
) -> Differences:
    """What differs of an invoice in Stripe.

    Args:
        facts: what Stripe has.
        by_id: the invoice that names it as its Stripe invoice.
        by_key: the invoice that its metadata names.
        attribution_id: whose it is, when it is no invoice that Postgres knows.
    """
    if by_id is not None:
        return _differences(facts, by_id)
    if facts.status in _GONE or (by_key is not None and _on_its_way(facts, by_key)):
        return []
    if by_key is None:
        what = f"{_amount(facts)}, {facts.status}, says it is {facts.metadata.get(stripe_metadata.INVOICE)}"
        return [_unknown(Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, facts, attribution_id, what)]
    owner = by_key.attribution_id
    if by_key.state in DEAD or by_key.stripe_invoice_id is None:
        what = f"{_amount(facts)}, {facts.status}, while the invoice is {by_key.state} and names no such invoice"
        return [_unknown(Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, facts, owner, what)]
    what = f"{_amount(facts)}, {facts.status}, beside {by_key.stripe_invoice_id}, which Postgres takes for it"
    return [_unknown(Check.STRIPE_HAS_OURS, Kind.TWICE_IN_STRIPE, facts, owner, what)]


def in_motion(changes: Iterable[datetime | None], now: datetime, quiet: timedelta) -> bool:
    """Whether a side has changed so lately, within the `quiet` period, that the other may not know yet.

    `changes`: when each side changed last; None if it lacks the object.
    """
    return any(at is not None and timedelta() <= now - at < quiet for at in changes)


def compare_again_after(quiet: timedelta) -> timedelta:
    """How long to wait for what is in motion for the `quiet` period at most."""
    return min(max(quiet / 5, _AGAIN_AFTER_AT_LEAST), _AGAIN_AFTER_AT_MOST)


def _on_its_way(facts: StripeInvoiceFacts, record: InvoiceRecord) -> bool:
    """Its creation, or that of its successor, is under way, or stuck: another check tells of what is stuck."""
    if facts.stripe_invoice_id == record.replaces_stripe_invoice_id:
        return True
    making = _S.CLAIMED in (record.state, record.resume_state)
    return making and record.stripe_invoice_id is None and facts.status == "draft"


def _differences(facts: StripeInvoiceFacts, record: InvoiceRecord) -> Differences:
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


def _content(facts: StripeInvoiceFacts, record: InvoiceRecord) -> Differences:
    found = []
    for kind, what, theirs, ours in (
        (Kind.CUSTOMER_DIFFERS, "customer", facts.stripe_customer_id, record.stripe_customer_id),
        (Kind.CURRENCY_DIFFERS, "currency", facts.currency, record.currency),
    ):
        if theirs != ours:
            found.append(_differs(kind, record, f"{what} {theirs} in Stripe, {ours} in Postgres"))
    own = record.charge_on is ChargeOn.OWN
    amount, digest = (facts.subtotal, facts.lines_digest) if own else (facts.our_amount, facts.our_lines_digest)
    wanted = expected_figures(record)
    if amount != wanted.subtotal:
        theirs, ours = format_amount(amount, facts.currency), format_amount(wanted.subtotal, record.currency)
        found.append(_differs(Kind.AMOUNT_DIFFERS, record, f"{theirs} before tax in Stripe, {ours} in Postgres"))
    elif digest != wanted.digest:
        what = f"its lines come to {format_amount(amount, facts.currency)} as ours do, but are others"
        found.append(_differs(Kind.LINES_DIFFER, record, what))
    for key, expected in expected_metadata(record).items():
        if facts.metadata.get(key) != expected:
            what = f"metadata {key}: {facts.metadata.get(key) or 'none'} in Stripe, {expected} in Postgres"
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
