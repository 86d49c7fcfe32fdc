"""The states of an invoice and how they may move."""

from __future__ import annotations

from enum import StrEnum

from billing.errors import IllegalTransitionError


class InvoiceState(StrEnum):
    """Where an invoice stands; its claims share this state."""

    CLAIMED = "claimed"
    """Its usage is claimed in Postgres; Stripe has nothing of it, or what a creation left that failed half-way."""
    DRAFT = "draft"
    """Stripe holds a draft with its lines."""
    FINALIZED = "finalized"
    """Stripe has finalized it; the books are not compared yet."""
    BILLED = "billed"
    """Report, claims, lines and Stripe agree; its usage is billed."""
    PAID = "paid"
    VOIDED = "voided"
    DELETED = "deleted"
    UNCOLLECTIBLE = "uncollectible"
    BLOCKED = "blocked"
    """A permanent error waits for an operator; `resume_state` says where it goes on."""


_S = InvoiceState

# Back to claimed: late usage is claimed anew, or a person has the Stripe side rebuilt.
# Every state may also be blocked, and a blocked invoice goes back to where it was.
TRANSITIONS: dict[InvoiceState, frozenset[InvoiceState]] = {
    _S.CLAIMED: frozenset({_S.DRAFT, _S.FINALIZED, _S.DELETED, _S.VOIDED}),
    _S.DRAFT: frozenset({_S.CLAIMED, _S.FINALIZED, _S.DELETED, _S.VOIDED}),
    _S.FINALIZED: frozenset({_S.CLAIMED, _S.BILLED, _S.VOIDED, _S.UNCOLLECTIBLE}),
    _S.BILLED: frozenset({_S.PAID, _S.VOIDED, _S.UNCOLLECTIBLE}),
    _S.UNCOLLECTIBLE: frozenset({_S.PAID, _S.VOIDED}),
    _S.PAID: frozenset(),
    _S.VOIDED: frozenset(),
    _S.DELETED: frozenset(),
}

DEAD = frozenset({_S.VOIDED, _S.DELETED})
"""Their claims are released: the usage is billable again."""

OPEN = frozenset({_S.CLAIMED, _S.DRAFT, _S.FINALIZED, _S.BLOCKED})
"""Something is still to be done before the usage is billed."""


MOST_LINES = 250
"""Stripe takes no more items on an invoice."""


def check_transition(current: InvoiceState, wanted: InvoiceState) -> bool:
    """Whether `wanted` is a step from `current` (True) or already reached (False).

    Raises:
        IllegalTransitionError: there is no such step.
    """
    if current == wanted:
        return False
    if wanted not in TRANSITIONS.get(current, frozenset()):
        raise IllegalTransitionError(f"an invoice that is {current} cannot become {wanted}")
    return True
