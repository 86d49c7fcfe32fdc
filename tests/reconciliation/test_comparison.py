"""The differences that an audit finds between an invoice and Stripe's facts, and when it waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.audit.checks import AuditScope, Check
from billing.audit.kinds import Kind
from billing.invoice.policy import ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.messages.audit import StripeInvoiceFacts
from reconciliation.comparison import AGREEING, KnownInvoices, compare, compare_again_after, in_motion
from reconciliation.figures import lines_digest
from tests.reconciliation.invoices import KEY, in_stripe, invoice

S = InvoiceState
STATUSES = ("draft", "open", "paid", "uncollectible", "void", "deleted")
QUIET = timedelta(minutes=10)
NOW = datetime(2022, 7, 1, tzinfo=UTC)


def facts(record: InvoiceRecord, status: str = "open", **changes: Any) -> StripeInvoiceFacts:
    """Return the facts that Stripe lists if nothing differs."""
    found = in_stripe(record)
    digest = lines_digest((line.line_id, line.amount) for line in found.lines)
    values: dict[str, Any] = {
        "stripe_invoice_id": "in_1",
        "status": status,
        "stripe_customer_id": found.stripe_customer_id,
        "currency": found.currency,
        "subtotal": found.subtotal,
        "lines_digest": digest,
        "our_amount": found.subtotal,
        "our_lines_digest": digest,
        "metadata": found.metadata,
    }
    return StripeInvoiceFacts(**{**values, **changes})


def differs(record: InvoiceRecord, found: StripeInvoiceFacts) -> list[tuple[Check, str]]:
    return [(check, finding.kind) for check, finding in compare(found, record, None, None)]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("state", list(S))
def test_every_status_that_does_not_agree_is_found(state: InvoiceState, status: str) -> None:
    record = invoice(state=state)
    found = differs(record, facts(record, status))
    if status in AGREEING[state]:
        assert found == []
    elif status == "deleted":
        assert found == [(Check.STRIPE_HAS_OURS, Kind.MISSING_IN_STRIPE)]
    else:
        assert found == [(Check.STRIPE_SAYS_THE_SAME, Kind.STATUS_DIFFERS)]


CONTENT: dict[Kind, dict[str, Any]] = {
    Kind.CUSTOMER_DIFFERS: {"stripe_customer_id": "cus_2"},
    Kind.CURRENCY_DIFFERS: {"currency": "eur"},
    Kind.AMOUNT_DIFFERS: {"subtotal": 1, "lines_digest": "other"},
    Kind.LINES_DIFFER: {"lines_digest": "other"},
    Kind.TOTAL_DIFFERS: {"total": 1},
}


@pytest.mark.parametrize("kind", CONTENT)
def test_other_content_is_found_where_it_counts(kind: Kind) -> None:
    for state in S:
        record = invoice(state=state)
        status = "open" if state is S.BLOCKED else min(AGREEING[state])
        counts = state in (S.DRAFT, S.FINALIZED, S.BILLED, S.PAID, S.UNCOLLECTIBLE)
        found = differs(record, facts(record, status, **CONTENT[kind]))
        assert found == ([(Check.STRIPE_SAYS_THE_SAME, kind)] if counts else []), state


@pytest.mark.parametrize("state", list(S))
def test_collection_that_stripe_stopped_is_found(state: InvoiceState) -> None:
    record = invoice(state=state)
    found = differs(record, facts(record, "open", collection_stopped=True))
    owed = state in (S.FINALIZED, S.BILLED, S.BLOCKED)
    assert found == [(Check.STRIPE_SAYS_THE_SAME, Kind.COLLECTION_STOPPED if owed else Kind.STATUS_DIFFERS)]


@pytest.mark.parametrize("key", ["perdure_invoice", "report_id", "attribution_id", "billing_period"])
def test_other_metadata_is_found(key: str) -> None:
    record = invoice()
    metadata = {**facts(record).metadata, key: "other"}
    [(check, finding)] = compare(facts(record, metadata=metadata), record, None, None)
    assert (check, finding.kind) == (Check.STRIPE_SAYS_THE_SAME, Kind.METADATA_DIFFERS)
    assert finding.detail.startswith(f"metadata {key}: other in Stripe, ")


def test_the_total_may_differ_by_the_discounts_and_the_tax_that_stripe_lists() -> None:
    ours = invoice()
    agreeing = facts(ours).subtotal
    altered: dict[str, Any] = {"total": agreeing - 3 + 2, "discount": 3, "tax": 2}
    assert differs(ours, facts(ours, **altered)) == []
    [(_, finding)] = compare(facts(ours, **{**altered, "tax": 1}), ours, None, None)
    assert finding.kind == Kind.TOTAL_DIFFERS
    assert "discounts of 0.03 USD and with tax of 0.01 USD" in finding.detail


def test_what_a_person_accepted_agrees() -> None:
    accepted = invoice(accepted_subtotal=7, accepted_digest="accepted")
    assert differs(accepted, facts(accepted, subtotal=7, lines_digest="accepted")) == []
    assert differs(accepted, facts(accepted)) == [(Check.STRIPE_SAYS_THE_SAME, Kind.AMOUNT_DIFFERS)]


def test_of_a_subscriptions_invoice_our_lines_alone_are_compared() -> None:
    ours = invoice(charge_on=ChargeOn.SUBSCRIPTION)
    assert differs(ours, facts(ours, subtotal=1, lines_digest="other")) == []
    assert differs(ours, facts(ours, our_amount=1)) == [(Check.STRIPE_SAYS_THE_SAME, Kind.AMOUNT_DIFFERS)]
    dead = invoice(charge_on=ChargeOn.SUBSCRIPTION, state=S.VOIDED)
    assert differs(dead, facts(dead, our_lines_digest="")) == [], "it no longer carries our lines"
    assert differs(dead, facts(dead)) == [(Check.STRIPE_SAYS_THE_SAME, Kind.STATUS_DIFFERS)]


UNKNOWN = (Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE)
TWICE = (Check.STRIPE_HAS_OURS, Kind.TWICE_IN_STRIPE)


@pytest.mark.parametrize(
    ("ours", "status", "expected"),
    [
        (None, "open", [UNKNOWN]),
        (None, "void", []),
        ({"stripe_invoice_id": "in_2"}, "open", [TWICE]),
        ({"stripe_invoice_id": "in_2"}, "deleted", []),
        ({"stripe_invoice_id": "in_2", "replaces_stripe_invoice_id": "in_1"}, "open", []),
        ({"stripe_invoice_id": "in_2", "state": S.VOIDED}, "open", [UNKNOWN]),
        ({"stripe_invoice_id": None, "state": S.CLAIMED}, "draft", []),
        ({"stripe_invoice_id": None, "state": S.CLAIMED}, "open", [UNKNOWN]),
        ({"stripe_invoice_id": None, "state": S.BLOCKED, "resume_state": S.CLAIMED}, "draft", []),
    ],
)
def test_one_that_postgres_does_not_take_for_its_own(
    ours: dict[str, Any] | None, status: str, expected: list[tuple[Check, Kind]]
) -> None:
    by_key = None if ours is None else invoice(**ours)
    found = compare(facts(invoice(), status), None, by_key, "team:a")
    assert [(check, finding.kind) for check, finding in found] == expected
    assert {(finding.attribution_id, finding.invoice_key) for _, finding in found} <= {("team:a", KEY)}


def test_whose_an_invoice_is() -> None:
    record = invoice()
    known = KnownInvoices([record], {"team:b"}, {"cus_c": "team:c"})
    ours = facts(record)
    assert (known.by_id(ours), known.by_key(ours)) == (record, record)
    bare = facts(record, stripe_invoice_id="in_9", metadata={}, stripe_customer_id=None)
    assert (known.by_id(bare), known.by_key(bare), known.account_of(bare)) == (None, None, None)
    by_metadata = bare.model_copy(update={"metadata": {"attribution_id": "team:b"}, "stripe_customer_id": "cus_c"})
    by_customer = bare.model_copy(update={"metadata": {"attribution_id": "team:x"}, "stripe_customer_id": "cus_c"})
    assert (known.account_of(by_metadata), known.account_of(by_customer)) == ("team:b", "team:c")
    assert [known.is_foreign(each) for each in (ours, by_metadata, by_customer, bare)] == [False, False, False, True]
    assert (known.compare(ours), [finding.kind for _, finding in known.compare(by_customer)]) == (
        [],
        [Kind.UNKNOWN_IN_STRIPE],
    )


def test_the_scope_is_that_of_our_invoice_or_else_of_what_it_names() -> None:
    record = invoice()
    known = KnownInvoices([record], {"team:b"}, {})
    lies = facts(record, metadata={"billing_period": "2021-01", "attribution_id": "team:b"})
    stranger = facts(record, stripe_invoice_id="in_9", metadata=lies.metadata)
    for scope, expected in (
        (AuditScope(), (True, True)),
        (AuditScope("2022-05"), (True, False)),
        (AuditScope("2021-01"), (False, True)),
        (AuditScope(None, "team:a"), (True, False)),
        (AuditScope(None, "team:b"), (False, True)),
        (AuditScope("2022-05", "team:b"), (False, False)),
    ):
        assert (known.in_scope(lies, scope), known.in_scope(stranger, scope)) == expected, scope


def test_what_has_changed_within_the_quiet_period_is_in_motion() -> None:
    assert in_motion([None, NOW], NOW, QUIET)
    assert in_motion([NOW - QUIET + timedelta.resolution], NOW, QUIET)
    assert not in_motion([NOW - QUIET, None], NOW, QUIET)
    assert not in_motion([NOW + timedelta.resolution], NOW, QUIET), "a clock that is ahead cannot hide a difference"
    assert not in_motion([], NOW, QUIET)


def test_it_is_compared_again_after_a_fifth_of_the_quiet_period_within_bounds() -> None:
    seconds = [compare_again_after(timedelta(seconds=quiet)).total_seconds() for quiet in (0, 20, 600)]
    assert seconds == [1, 4, 30]
