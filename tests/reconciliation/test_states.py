"""The path from each of our states to each of Stripe's statuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.invoice.states import TRANSITIONS, InvoiceState
from reconciliation.event_routing import is_satisfied
from reconciliation.event_types import INVOICE_EVENTS
from reconciliation.states import covers, states_to_reach
from tests.reconciliation.invoices import FINALIZED_AT, in_stripe, invoice

NOW = datetime(2022, 6, 9, tzinfo=UTC)
S = InvoiceState
STATUSES = ("draft", "open", "paid", "uncollectible", "void", "deleted")
_ALL_OF = {
    "draft": [],
    "open": [S.FINALIZED, S.BILLED],
    "paid": [S.FINALIZED, S.BILLED, S.PAID],
    "uncollectible": [S.FINALIZED, S.BILLED, S.UNCOLLECTIBLE],
    "void": [S.VOIDED],
    "deleted": [S.DELETED],
}
_GONE = {"void": [S.VOIDED], "deleted": [S.DELETED]}
_NOWHERE: dict[str, list[InvoiceState]] = {}
# By our state, the path to each status; a missing status has an empty path.
PATHS: dict[InvoiceState, dict[str, list[InvoiceState]]] = {
    S.CLAIMED: _ALL_OF,
    S.DRAFT: _ALL_OF,
    S.FINALIZED: _ALL_OF,
    S.BILLED: {"paid": [S.PAID], "uncollectible": [S.UNCOLLECTIBLE], **_GONE},
    S.UNCOLLECTIBLE: {"paid": [S.PAID], **_GONE},
    S.BLOCKED: _GONE,
    S.PAID: _NOWHERE,
    S.VOIDED: _NOWHERE,
    S.DELETED: _NOWHERE,
}
CASES = [(state, status) for state in S for status in STATUSES]


def reached(state: InvoiceState, status: str) -> list[InvoiceState]:
    record = invoice(state=state)
    return [to for to, _ in states_to_reach(record, in_stripe(record, status), NOW)]


@pytest.mark.parametrize(("state", "status"), CASES)
def test_each_status_leads_where_it_should(state: InvoiceState, status: str) -> None:
    assert reached(state, status) == PATHS[state].get(status, [])


@pytest.mark.parametrize(("state", "status"), CASES)
def test_an_invoice_that_has_arrived_stays(state: InvoiceState, status: str) -> None:
    if path := reached(state, status):
        assert reached(path[-1], status) == []


@pytest.mark.parametrize(("state", "status"), CASES)
def test_a_path_that_was_cut_off_is_completed(state: InvoiceState, status: str) -> None:
    """As after a crash between two writes; applying the state that the invoice has changes nothing."""
    path = reached(state, status)
    for cut in range(1, len(path)):
        at = path[cut - 1]
        assert [to for to in reached(at, status) if to is not at] == path[cut:]


def test_a_path_takes_the_steps_that_there_are() -> None:
    # Stripe cannot delete a finalized invoice, so that transition is refused when it is applied.
    for state, status in CASES:
        if state is S.BLOCKED or (status == "deleted" and state not in (S.CLAIMED, S.DRAFT)):
            continue
        for before, after in zip((state, *reached(state, status)), reached(state, status), strict=False):
            assert before is after or after in TRANSITIONS[before], (state, status)


@pytest.mark.parametrize(
    ("status", "instants"),
    [
        ("open", {"finalized_at": FINALIZED_AT}),
        ("paid", {"finalized_at": FINALIZED_AT, "paid_at": NOW.replace(day=3)}),
        ("uncollectible", {"finalized_at": FINALIZED_AT, "marked_uncollectible_at": NOW.replace(day=4)}),
        ("void", {"voided_at": NOW.replace(day=5)}),
        ("deleted", {}),
    ],
)
def test_the_instants_are_stripes_where_it_has_them(status: str, instants: dict[str, datetime]) -> None:
    record = invoice(state=S.DRAFT)
    states = {"finalized_at": S.FINALIZED, "paid_at": S.PAID, "marked_uncollectible_at": S.UNCOLLECTIBLE}
    expected = {states.get(name, S.VOIDED): at for name, at in instants.items()}
    found = states_to_reach(record, in_stripe(record, status, **instants), NOW)
    assert found == [(state, expected.get(state, NOW)) for state, _ in found]
    bare = in_stripe(record, status, finalized_at=None)
    assert states_to_reach(record, bare, NOW) == [(state, NOW) for state, _ in found]


def test_only_events_that_move_nothing_are_taken_for_satisfied() -> None:
    statuses = {
        "invoice.finalized": "open",
        "invoice.finalization_failed": "draft",
        "invoice.marked_uncollectible": "uncollectible",
        "invoice.payment_failed": "open",
        "invoice.paid": "paid",
        "invoice.voided": "void",
        "invoice.deleted": "deleted",
    }
    assert statuses.keys() == INVOICE_EVENTS
    for kind, status in statuses.items():
        satisfied = [state for state in S if is_satisfied([kind], state)]
        assert satisfied, kind
        assert all(reached(state, status) == [] for state in satisfied), kind
    assert not is_satisfied(["invoice.paid"], None)
    assert not is_satisfied(["invoice.paid", "credit_note.created"], S.PAID)


def test_an_answer_covers_the_events_before_it_and_no_others() -> None:
    record = invoice(state=S.CLAIMED)
    failed, paid = "invoice.payment_failed", "invoice.paid"

    def covered(status: str, *events: str, attempts: int = 0) -> bool:
        return covers(in_stripe(record, status, attempt_count=attempts), events)

    assert covered("open")
    assert covered("open", "invoice.finalized", "invoice.finalized")
    assert covered("paid", "invoice.finalized", paid, failed, attempts=2)
    assert covered("open", failed, attempts=1)
    assert not covered("open", failed), "it fails after the answer"
    assert not covered("open", failed, failed, attempts=1)
    assert not covered("open", paid)
    assert not covered("open", "invoice.updated")
    assert not covered("paid", "invoice.unheard_of")
