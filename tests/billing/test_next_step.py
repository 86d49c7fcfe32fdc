"""The next step of an invoice's workflow, for every state and every combination of messages in its inbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from billing.invoice.states import DEAD, Inbox, InvoiceState, Step, next_step

S = InvoiceState
NOW = datetime(2022, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StandingInvoice:
    state: InvoiceState
    void_requested: bool = False
    awaits_approval: bool = False
    waits_until: datetime | None = None
    stripe_invoice_id: str | None = "in_1"
    tries_again: bool = False
    in_one_step: bool = False


INVOICES = {
    **{str(state): StandingInvoice(state) for state in InvoiceState},
    "claimed, in one step": StandingInvoice(S.CLAIMED, stripe_invoice_id=None, in_one_step=True),
    "draft for approval": StandingInvoice(S.DRAFT, awaits_approval=True),
    "draft in grace": StandingInvoice(S.DRAFT, waits_until=NOW + timedelta(seconds=1)),
    "draft after its grace": StandingInvoice(S.DRAFT, waits_until=NOW),
    "blocked for its currency": StandingInvoice(S.BLOCKED, stripe_invoice_id=None, tries_again=True),
}
LETTERS = {
    "L": Step.LOAD,
    "U": Step.RESUME,
    "A": Step.AMEND,
    "B": Step.BILL,
    "C": Step.CREATE,
    "F": Step.FINALIZE,
    "P": Step.POLL,
    "R": Step.REFRESH,
    "V": Step.VOID,
    "O": Step.AWAIT_OPERATOR,
    "W": Step.AWAIT_POLICY,
    "-": Step.REST,
}
INBOXES = [Inbox(stripe_changed=s, amend=a, granted=g) for s, a, g in product((False, True), repeat=3)]
"""The columns: nothing, granted, amend, both; then the same four with an event from Stripe."""

# A letter for each column; then a second row for a requested void.
AFTER_LOADING = {
    "claimed": ("CCCC CCCC", "VVVV VVVV"),
    "claimed, in one step": ("BBBB BBBB", "VVVV VVVV"),
    "draft": ("FFAA FFAA", "VVVV VVVV"),
    "draft for approval": ("WWAA RRAA", "VVVV VVVV"),
    "draft in grace": ("WWAA RRAA", "VVVV VVVV"),
    "draft after its grace": ("FFAA FFAA", "VVVV VVVV"),
    "finalized": ("RRRR RRRR", "VVVV VVVV"),
    "billed": ("---- RRRR", "VVVV VVVV"),
    "uncollectible": ("---- RRRR", "VVVV VVVV"),
    "paid": ("---- RRRR", "---- RRRR"),
    "voided": ("---- RRRR", "---- RRRR"),
    "deleted": ("---- RRRR", "---- RRRR"),
    "blocked": ("OUOU RURU", "OVOV RVRV"),
    "blocked for its currency": ("OUOU UUUU", "OVOV RVRV"),
}
AFTER_RESUMING = {
    **AFTER_LOADING,
    "claimed": ("CCCC CCCC", "CCCC CCCC"),
    "claimed, in one step": ("BBBB BBBB", "BBBB BBBB"),
    "draft": ("FFAA FFAA", "VVAA VVAA"),
    "draft for approval": ("WWAA RRAA", "VVAA VVAA"),
    "draft in grace": ("WWAA RRAA", "VVAA VVAA"),
    "draft after its grace": ("FFAA FFAA", "VVAA VVAA"),
    "blocked": ("OOOO RRRR", "VVVV VVVV"),
    "blocked for its currency": ("OOOO OOOO", "VVVV VVVV"),
}
AFTER_AMENDING = {
    **AFTER_RESUMING,
    "draft": ("FFFF FFFF", "VVVV VVVV"),
    "draft for approval": ("WWWW RRRR", "VVVV VVVV"),
    "draft in grace": ("WWWW RRRR", "VVVV VVVV"),
    "draft after its grace": ("FFFF FFFF", "VVVV VVVV"),
}
AFTER_CREATING = {
    **AFTER_AMENDING,
    "claimed": ("---- RRRR", "VVVV VVVV"),
    "claimed, in one step": ("---- ----", "VVVV VVVV"),
}
# After Stripe was queried or changed, messages wait until the invoice is loaded again.
AFTER_STRIPE = {
    "claimed": ("-", "L"),
    "claimed, in one step": ("-", "L"),
    "draft": ("L", "L"),
    "draft for approval": ("W", "W"),
    "draft in grace": ("W", "W"),
    "draft after its grace": ("L", "L"),
    "finalized": ("-", "L"),
    "billed": ("-", "L"),
    "uncollectible": ("-", "L"),
    "paid": ("-", "-"),
    "voided": ("-", "-"),
    "deleted": ("-", "-"),
    "blocked": ("O", "O"),
    "blocked for its currency": ("O", "O"),
}
# What the one step leaves claimed is unusual: the separate steps handle it.
AFTER_BILLING = {**AFTER_STRIPE, "claimed": ("C", "L"), "claimed, in one step": ("C", "L")}
AFTER_FINALIZING = {**AFTER_STRIPE, "draft": ("P", "P"), "draft after its grace": ("P", "P")}
TABLES = {
    Step.LOAD: AFTER_LOADING,
    Step.RESUME: AFTER_RESUMING,
    Step.AMEND: AFTER_AMENDING,
    Step.BILL: AFTER_BILLING,
    Step.CREATE: AFTER_CREATING,
    Step.FINALIZE: AFTER_FINALIZING,
    Step.POLL: AFTER_FINALIZING,
    Step.REFRESH: AFTER_STRIPE,
    Step.VOID: AFTER_STRIPE,
    Step.BLOCK: AFTER_STRIPE,
}


@pytest.mark.parametrize("name", INVOICES)
@pytest.mark.parametrize("last", TABLES)
def test_every_state_with_everything_heard(last: Step, name: str) -> None:
    for void_requested, row in zip((False, True), TABLES[last][name], strict=True):
        invoice = replace(INVOICES[name], void_requested=void_requested)
        letters = row.replace(" ", "")
        for inbox, letter in zip(INBOXES, letters if len(letters) > 1 else letters * len(INBOXES), strict=True):
            received = replace(inbox, last=last)
            assert next_step(invoice, received, NOW) is LETTERS[letter], (void_requested, received)


def test_the_tables_list_every_state_and_every_step() -> None:
    assert {invoice.state for invoice in INVOICES.values()} == set(InvoiceState)
    for table in TABLES.values():
        assert set(table) == set(INVOICES)
    waits = {Step.AWAIT_OPERATOR, Step.AWAIT_POLICY, Step.REST}
    assert set(TABLES) == set(Step) - waits, "after a wait the invoice is loaded"
    assert set(LETTERS.values()) == set(Step) - {Step.BLOCK}


@pytest.mark.parametrize("name", INVOICES)
def test_it_begins_and_goes_on_after_a_wait_by_loading(name: str) -> None:
    for inbox in INBOXES:
        assert next_step(INVOICES[name], inbox, NOW) is Step.LOAD
        assert next_step(None, inbox, NOW) is Step.LOAD


def test_an_unknown_invoice_rests() -> None:
    for inbox, last in product(INBOXES, TABLES):
        assert next_step(None, replace(inbox, last=last), NOW) is Step.REST


@pytest.mark.parametrize("last", [Step.FINALIZE, Step.POLL])
def test_a_retry_while_stripe_is_polled_loads_the_invoice(last: Step) -> None:
    for inbox in INBOXES:
        assert next_step(StandingInvoice(S.DRAFT), replace(inbox, retry=True, last=last), NOW) is Step.LOAD


@pytest.mark.parametrize("state", InvoiceState)
def test_a_retry_that_arrives_after_loading_counts_for_the_next_time(state: InvoiceState) -> None:
    for inbox in INBOXES:
        after = replace(inbox, last=Step.LOAD)
        assert next_step(StandingInvoice(state), after, NOW) is next_step(
            StandingInvoice(state), replace(after, retry=True), NOW
        )


@pytest.mark.parametrize("state", sorted(DEAD | {S.BILLED, S.PAID, S.UNCOLLECTIBLE}))
def test_nothing_is_fetched_that_stripe_does_not_have(state: InvoiceState) -> None:
    invoice = StandingInvoice(state, stripe_invoice_id=None)
    assert next_step(invoice, Inbox(stripe_changed=True, last=Step.LOAD), NOW) is Step.REST


def test_a_step_takes_out_of_the_inbox_what_it_handles() -> None:
    full = Inbox(stripe_changed=True, retry=True, amend=True)
    loading = full.taking(Step.LOAD)
    assert (loading.retry, loading.granted, loading.stripe_changed, loading.amend) == (False, True, True, True)
    assert not full.taking(Step.AMEND).amend
    for step in Step:
        handled = step in (Step.REFRESH, Step.VOID)
        assert full.taking(step).stripe_changed is not handled
        assert full.taking(step).last is step


def test_an_event_that_came_while_stripe_was_asked_is_not_lost_by_resting() -> None:
    received = Inbox(stripe_changed=True)
    assert replace(received, last=Step.REFRESH).resting().wakes_blocked
    assert not replace(received, last=Step.LOAD).resting().wakes_blocked
