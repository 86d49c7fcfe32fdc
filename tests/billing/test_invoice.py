"""The transitions between the states of an invoice."""

from __future__ import annotations

from itertools import product

import pytest

from billing.errors import IllegalTransitionError
from billing.invoice.states import DEAD, OPEN, InvoiceState, check_transition

S = InvoiceState
STEPS = {
    (S.CLAIMED, S.DRAFT), (S.CLAIMED, S.FINALIZED), (S.CLAIMED, S.DELETED), (S.CLAIMED, S.VOIDED),
    (S.DRAFT, S.CLAIMED), (S.DRAFT, S.FINALIZED), (S.DRAFT, S.DELETED), (S.DRAFT, S.VOIDED),
    (S.FINALIZED, S.CLAIMED), (S.FINALIZED, S.BILLED), (S.FINALIZED, S.VOIDED), (S.FINALIZED, S.UNCOLLECTIBLE),
    (S.BILLED, S.PAID), (S.BILLED, S.VOIDED), (S.BILLED, S.UNCOLLECTIBLE),
    (S.UNCOLLECTIBLE, S.PAID), (S.UNCOLLECTIBLE, S.VOIDED),
}  # fmt: skip


@pytest.mark.parametrize(("current", "wanted"), list(product(InvoiceState, InvoiceState)))
def test_only_the_steps_of_the_table_are_allowed(current: InvoiceState, wanted: InvoiceState) -> None:
    if current == wanted:
        assert check_transition(current, wanted) is False
    elif (current, wanted) in STEPS:
        assert check_transition(current, wanted) is True
    else:
        with pytest.raises(IllegalTransitionError, match=f"{current} cannot become {wanted}"):
            check_transition(current, wanted)


def test_nothing_is_paid_that_was_not_billed_first() -> None:
    assert {current for current, wanted in STEPS if wanted is S.PAID} == {S.BILLED, S.UNCOLLECTIBLE}


def test_dead_invoices_stay_dead_and_are_not_open() -> None:
    assert not DEAD & OPEN
    assert not [step for step in STEPS if step[0] in DEAD]
