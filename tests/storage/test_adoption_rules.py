"""What Postgres does with a Stripe invoice that names one of our keys: one case per rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.invoice.policy import ChargeOn, Finalization
from billing.invoice.states import InvoiceState
from storage.invoices.locked import LockedInvoice
from storage.recovery.adoption_rules import RULES, AdoptableInvoice, Case, Decision, Rule, decide, rule_for

S = InvoiceState
CLAIMED = LockedInvoice(
    id=1,
    attribution_id="team:a",
    state=S.CLAIMED,
    resume_state=None,
    blocked_kind=None,
    charge_on=ChargeOn.OWN,
    finalization=Finalization.AT_ONCE,
    revision=1,
    currency="usd",
    amount=100,
    approved_amount=None,
    found_subtotal=None,
    accepted_subtotal=None,
    report_id=None,
    stripe_invoice_id=None,
    replaces_stripe_invoice_id=None,
    void_requested_at=None,
    written_off=False,
)
DRAFT = replace(CLAIMED, state=S.DRAFT, stripe_invoice_id="in_1", report_id="other")
OPEN = AdoptableInvoice("in_1", "open", "cus_1")
VOID = replace(OPEN, status="void")
IN_DRAFT = replace(OPEN, status="draft")


def case(ours: LockedInvoice, theirs: AdoptableInvoice, *, its_own: bool = False) -> Case:
    return Case(ours, "report", theirs, its_own)


# One case per rule, in the order of `RULES`.
CASES = [
    (case(replace(CLAIMED, state=S.VOIDED, stripe_invoice_id="in_2"), VOID), Decision.LEAVE),
    (case(replace(CLAIMED, state=S.DELETED, stripe_invoice_id="in_1"), OPEN), Decision.LEAVE),
    (case(replace(CLAIMED, state=S.DELETED, stripe_invoice_id="in_2"), OPEN), Decision.ADOPT_CLAIMED),
    (case(replace(DRAFT, state=S.FINALIZED), OPEN, its_own=True), Decision.LEAVE),
    (case(replace(CLAIMED, replaces_stripe_invoice_id="in_1"), OPEN), Decision.LEAVE),
    (case(replace(DRAFT, stripe_invoice_id="in_2"), OPEN), Decision.ADOPT_CLAIMED),
    (case(replace(CLAIMED, report_id="report"), OPEN), Decision.LINK),
    (case(replace(DRAFT, report_id="report"), OPEN, its_own=True), Decision.LEAVE),
    (case(DRAFT, OPEN), Decision.LEAVE),
    (case(replace(CLAIMED, stripe_invoice_id="in_1"), IN_DRAFT, its_own=True), Decision.LEAVE),
    (case(CLAIMED, VOID), Decision.ADOPT_VOIDED),
    (case(DRAFT, OPEN, its_own=True), Decision.ADOPT_AS_IT_IS),
]


@pytest.mark.parametrize(("rule", "of_case"), list(zip(RULES, CASES, strict=True)), ids=[rule.why for rule in RULES])
def test_each_rule_decides_its_case(rule: Rule, of_case: tuple[Case, Decision]) -> None:
    given, decision = of_case
    assert rule_for(given) is rule
    assert decide(given.ours, given.report_id, given.theirs, its_own=given.its_own) is decision


def test_what_postgres_lacks_is_adopted() -> None:
    assert decide(None, "report", OPEN, its_own=False) is Decision.ADOPT_CLAIMED
    assert decide(None, "report", VOID, its_own=False) is Decision.ADOPT_VOIDED


@pytest.mark.parametrize("given", [given for given, _ in CASES if given.ours.state is not S.VOIDED])
def test_a_blocked_invoice_is_judged_by_where_it_was_blocked(given: Case) -> None:
    blocked = replace(given.ours, state=S.BLOCKED, resume_state=given.ours.state)
    assert rule_for(replace(given, ours=blocked)) is rule_for(given)
