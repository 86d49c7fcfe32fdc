"""Compare an invoice with Stripe's facts: what differs, and whether the difference might only be in motion."""

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
    # A person decides about it, whatever was done in Stripe; only its removal there is adopted nevertheless.
    _S.BLOCKED: _DUE | {"draft"},
}
"""The Stripe statuses that agree with each of our states when nothing is under way."""

_CONTENT_COUNTS = frozenset({_S.DRAFT, _S.FINALIZED, _S.BILLED, _S.PAID, _S.UNCOLLECTIBLE})
"""The states in which contents are compared. In others the invoice is being filled, waits for a person, or is dead."""


Differences = list[tuple[Check, Finding]]
"""The findings about one Stripe invoice, each with the check that it belongs to."""


class KnownInvoices:
    """The invoices and accounts in Postgres that concern a page of Stripe's invoices."""

    def __init__(
        self, records: Iterable[InvoiceRecord], accounts: Collection[str], customers: Mapping[str, str]
    ) -> None:
        """`accounts` are the existing accounts; `customers` maps each Stripe customer to its account."""
        self._accounts = accounts
        self._customers = customers
        self._by_key = {record.key: record for record in records}
        self._by_id = {record.stripe_invoice_id: record for record in self._by_key.values()}

    def by_id(self, facts: StripeInvoiceFacts) -> InvoiceRecord | None:
        """Return our invoice that names this Stripe invoice."""
        return self._by_id.get(facts.stripe_invoice_id)

    def by_key(self, facts: StripeInvoiceFacts) -> InvoiceRecord | None:
        """Return our invoice that the metadata names."""
        return self._by_key.get(named(facts, stripe_metadata.INVOICE))

    def account_of(self, facts: StripeInvoiceFacts) -> str | None:
        """Return the account that the metadata names, or else the customer's."""
        account = named(facts, stripe_metadata.ATTRIBUTION_ID)
        return account if account in self._accounts else self._customers.get(facts.stripe_customer_id or "")

    def is_foreign(self, facts: StripeInvoiceFacts) -> bool:
        """Return whether we know neither the invoice nor its account: another deployment might bill it."""
        return self.by_id(facts) is None and self.by_key(facts) is None and self.account_of(facts) is None

    def in_scope(self, facts: StripeInvoiceFacts, scope: AuditScope) -> bool:
        """Return whether the invoice's period and account are in the audit's scope."""
        record = self.by_id(facts) or self.by_key(facts)
        if record is not None:
            period, account = record.billing_period, record.attribution_id
        else:
            period, account = named(facts, stripe_metadata.BILLING_PERIOD), self.account_of(facts) or ""
        return scope.period in (None, period) and scope.attribution_id in (None, account)

    def compare(self, facts: StripeInvoiceFacts) -> Differences:
        """Return the differences between the Stripe invoice and Postgres."""
        return compare(facts, self.by_id(facts), self.by_key(facts), self.account_of(facts))


def named(facts: StripeInvoiceFacts, key: str) -> str:
    """Return the metadata's value of this key; empty if there is none."""
    return facts.metadata.get(key, "")


def compare(
    facts: StripeInvoiceFacts, by_id: InvoiceRecord | None, by_key: InvoiceRecord | None, attribution_id: str | None
) -> Differences:
    """Return the differences between an invoice in Stripe and Postgres.

    Args:
        facts: Stripe's facts.
        by_id: our invoice that names the Stripe invoice.
        by_key: our invoice that the Stripe invoice's metadata names.
        attribution_id: the account, if Postgres knows no such invoice.
    """
    if by_id is not None:
        return _differences(facts, by_id)
    if facts.status in _GONE or (by_key is not None and _on_its_way(facts, by_key)):
        return []
    if by_key is None:
        what = f"{_amount(facts)}, {facts.status}, names invoice {facts.metadata.get(stripe_metadata.INVOICE)}"
        return [_unknown(Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, facts, attribution_id, what)]
    owner = by_key.attribution_id
    if by_key.state in DEAD or by_key.stripe_invoice_id is None:
        what = f"{_amount(facts)}, {facts.status}, but our invoice is {by_key.state} and does not name it"
        return [_unknown(Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, facts, owner, what)]
    what = f"{_amount(facts)}, {facts.status}, in addition to {by_key.stripe_invoice_id}, which Postgres has"
    return [_unknown(Check.STRIPE_HAS_OURS, Kind.TWICE_IN_STRIPE, facts, owner, what)]


def in_motion(changes: Iterable[datetime | None], now: datetime, quiet: timedelta) -> bool:
    """Return whether a side has changed so recently, within the `quiet` period, that the other might not know yet.

    `changes` are the instants of each side's last change, None if that side lacks the object.
    """
    return any(at is not None and timedelta() <= now - at < quiet for at in changes)


def compare_again_after(quiet: timedelta) -> timedelta:
    """Return how long to wait before comparing objects in motion again, given the `quiet` period."""
    return min(max(quiet / 5, _AGAIN_AFTER_AT_LEAST), _AGAIN_AFTER_AT_MOST)


def _on_its_way(facts: StripeInvoiceFacts, record: InvoiceRecord) -> bool:
    """Return whether the Stripe invoice is being made or replaced. If that is stuck, another check reports it."""
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
    elif facts.collection_stopped:
        stopped = "Stripe no longer charges it by itself: its `auto_advance` is off"
        found.append(_differs(Kind.COLLECTION_STOPPED, record, stopped))
    if record.state not in _CONTENT_COUNTS or facts.status in _GONE:
        return found
    return found + _content(facts, record)


def _let_go(facts: StripeInvoiceFacts, record: InvoiceRecord) -> bool:
    """Return whether the Stripe invoice is gone, or is a subscription's and no longer carries our lines."""
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
        what = f"{theirs} before discounts and tax in Stripe, {ours} in Postgres"
        found.append(_differs(Kind.AMOUNT_DIFFERS, record, what))
    elif digest != wanted.digest:
        what = f"its lines total {format_amount(amount, facts.currency)} like ours, but are different lines"
        found.append(_differs(Kind.LINES_DIFFER, record, what))
    found += _total(facts, record)
    for key, expected in expected_metadata(record).items():
        if facts.metadata.get(key) != expected:
            what = f"metadata {key}: {facts.metadata.get(key) or 'none'} in Stripe, {expected} in Postgres"
            found.append(_differs(Kind.METADATA_DIFFERS, record, what))
    return found


def _total(facts: StripeInvoiceFacts, record: InvoiceRecord) -> Differences:
    """Find a total that the discounts and the tax that Stripe lists do not explain."""
    if facts.total is None or facts.total == facts.subtotal - facts.discount + facts.tax:
        return []
    subtotal, discount, tax, total = (
        format_amount(amount, facts.currency) for amount in (facts.subtotal, facts.discount, facts.tax, facts.total)
    )
    what = f"{subtotal} without discounts of {discount} and with tax of {tax} is not the total of {total} in Stripe"
    return [_differs(Kind.TOTAL_DIFFERS, record, what)]


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
