"""What Postgres does with a Stripe invoice that names one of our keys, decided by its report and Stripe's status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from billing.invoice.states import DEAD, InvoiceState
from storage.invoices.locked import LockedInvoice

_S = InvoiceState
_UNSETTLED = frozenset({_S.CLAIMED, _S.DRAFT})


class Decision(Enum):
    """What Postgres does with the Stripe invoice."""

    LEAVE = "leave"
    """Postgres has the invoice as Stripe has it, or knows better."""
    LINK = "link"
    """Postgres has the invoice's usage and lacks only its Stripe id."""
    ADOPT_CLAIMED = "adopt as claimed"
    ADOPT_VOIDED = "adopt as voided"
    ADOPT_AS_IT_IS = "adopt in the state that it has"


@dataclass(frozen=True)
class AdoptableInvoice:
    """A Stripe invoice that names one of our keys, and its report. `status` is Stripe's."""

    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None

    @property
    def is_void(self) -> bool:
        """Whether Stripe has voided it."""
        return self.status == "void"


@dataclass(frozen=True)
class Case:
    """The Stripe invoice, and the invoice with its key in Postgres. `its_own`: that invoice's own workflow asks."""

    ours: LockedInvoice
    report_id: str
    theirs: AdoptableInvoice
    its_own: bool

    @property
    def is_unlinked(self) -> bool:
        """Whether Postgres knows no Stripe id of our invoice."""
        return self.ours.stripe_invoice_id is None

    @property
    def is_same(self) -> bool:
        """Whether this is the Stripe invoice that Postgres knows."""
        return self.ours.stripe_invoice_id == self.theirs.stripe_invoice_id

    @property
    def is_reported(self) -> bool:
        """Whether Postgres has the report that Stripe names."""
        return self.ours.report_id == self.report_id


@dataclass(frozen=True)
class Rule:
    """A row of the decision table: the cases in which it applies, and the decision."""

    why: str
    holds: Callable[[Case], bool]
    decision: Decision


# The first rule that holds decides.
RULES = (
    Rule(
        "dead in both: of two Stripe invoices with this key, the void one was removed",
        lambda case: case.ours.reached in DEAD and case.theirs.is_void,
        Decision.LEAVE,
    ),
    Rule("dead, and linked to this one", lambda case: case.ours.reached in DEAD and case.is_same, Decision.LEAVE),
    Rule("dead, and another one is live in Stripe", lambda case: case.ours.reached in DEAD, Decision.ADOPT_CLAIMED),
    Rule("finalized: its books are compared", lambda case: case.ours.reached not in _UNSETTLED, Decision.LEAVE),
    Rule(
        "rebuilt, and this is the old one",
        lambda case: case.ours.replaces_stripe_invoice_id == case.theirs.stripe_invoice_id,
        Decision.LEAVE,
    ),
    Rule(
        "rebuilt since: the Stripe invoice that Postgres names was removed, and this is its successor",
        lambda case: not (case.its_own or case.theirs.is_void or case.is_unlinked or case.is_same),
        Decision.ADOPT_CLAIMED,
    ),
    Rule(
        "its report is known, its Stripe id is not",
        lambda case: (
            case.is_reported and case.ours.reached is _S.CLAIMED and case.is_unlinked and not case.theirs.is_void
        ),
        Decision.LINK,
    ),
    Rule("its report is known", lambda case: case.is_reported, Decision.LEAVE),
    Rule("linked: its own workflow compares it", lambda case: not (case.its_own or case.is_unlinked), Decision.LEAVE),
    Rule(
        "its usage was claimed again, and the draft is about to get its new lines",
        lambda case: case.ours.reached is _S.CLAIMED and case.is_same and case.theirs.status == "draft",
        Decision.LEAVE,
    ),
    Rule("another report, void in Stripe", lambda case: case.theirs.is_void, Decision.ADOPT_VOIDED),
    Rule("another report", lambda _: True, Decision.ADOPT_AS_IT_IS),
)


def rule_for(case: Case) -> Rule:
    """Return the rule that decides a case."""
    return next(rule for rule in RULES if rule.holds(case))


def decide(ours: LockedInvoice | None, report_id: str, theirs: AdoptableInvoice, *, its_own: bool) -> Decision:
    """Return what Postgres does with the Stripe invoice. An invoice that Postgres lacks is adopted."""
    if ours is None:
        return Decision.ADOPT_VOIDED if theirs.is_void else Decision.ADOPT_CLAIMED
    return rule_for(Case(ours, report_id, theirs, its_own)).decision
