"""The states of an invoice, the triggers that move it between them, and the next step of its workflow. Pure.

docs/invoices.md draws `TRANSITIONS`. `next_step` decides what an invoice's workflow does next, from the invoice as
loaded and the messages that the workflow has received; the workflow only carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from billing.errors import IllegalTransitionError


class InvoiceState(StrEnum):
    """The state of an invoice; its claims share it."""

    CLAIMED = "claimed"
    """Postgres has claimed its usage, and has recorded no Stripe invoice; Stripe may have made it already."""
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
    """It waits for an operator: an error, a limit or an edited draft. It resumes in its `resume_state`."""


class Trigger(StrEnum):
    """What moves an invoice from one state to another."""

    DRAFT_CREATED = "draft created in Stripe"
    LATE_USAGE = "late usage claimed"
    REBUILD = "rebuild decided"
    TOO_LATE = "subscription's draft finalized without its lines"
    FINALIZED = "finalized in Stripe"
    BOOKS_AGREE = "books agree"
    PAID = "paid in Stripe"
    UNCOLLECTIBLE = "marked uncollectible in Stripe"
    VOIDED = "voided in Stripe"
    DELETED = "deleted in Stripe, or voided before Stripe had it"


_S, _T = InvoiceState, Trigger

# In addition, an invoice in any live state can be blocked, and a blocked invoice returns to the state it had.
TRANSITIONS: dict[InvoiceState, dict[InvoiceState, tuple[Trigger, ...]]] = {
    _S.CLAIMED: {
        _S.DRAFT: (_T.DRAFT_CREATED,),
        _S.FINALIZED: (_T.FINALIZED,),
        _S.DELETED: (_T.TOO_LATE, _T.DELETED),
        _S.VOIDED: (_T.VOIDED,),
    },
    _S.DRAFT: {
        _S.CLAIMED: (_T.LATE_USAGE, _T.REBUILD),
        _S.FINALIZED: (_T.FINALIZED,),
        _S.DELETED: (_T.DELETED,),
        _S.VOIDED: (_T.VOIDED,),
    },
    _S.FINALIZED: {
        _S.CLAIMED: (_T.REBUILD,),
        _S.BILLED: (_T.BOOKS_AGREE,),
        _S.VOIDED: (_T.VOIDED,),
        _S.UNCOLLECTIBLE: (_T.UNCOLLECTIBLE,),
    },
    _S.BILLED: {
        _S.PAID: (_T.PAID,),
        _S.VOIDED: (_T.VOIDED,),
        _S.UNCOLLECTIBLE: (_T.UNCOLLECTIBLE,),
    },
    _S.UNCOLLECTIBLE: {_S.PAID: (_T.PAID,), _S.VOIDED: (_T.VOIDED,)},
    _S.PAID: {},
    _S.VOIDED: {},
    _S.DELETED: {},
}

DEAD = frozenset({_S.VOIDED, _S.DELETED})
"""The claims are released: the usage is billable again."""

OPEN = frozenset({_S.CLAIMED, _S.DRAFT, _S.FINALIZED, _S.BLOCKED})
"""The usage is not billed yet: something remains to be done."""

BILLED = frozenset({_S.BILLED, _S.PAID, _S.UNCOLLECTIBLE})
"""The usage is billed."""

_CANNOT_BE_VOIDED = DEAD | {_S.PAID}


def check_transition(current: InvoiceState, wanted: InvoiceState) -> bool:
    """Return True if `current` can move to `wanted`, False if the two are the same.

    Raises:
        IllegalTransitionError: there is no such transition.
    """
    if current == wanted:
        return False
    if wanted not in TRANSITIONS.get(current, {}):
        raise IllegalTransitionError(f"an invoice that is {current} cannot become {wanted}")
    return True


class Step(StrEnum):
    """What an invoice's workflow does next."""

    LOAD = "load"
    """Load the invoice from Postgres."""
    RESUME = "resume"
    """Return a blocked invoice to the state it had."""
    AMEND = "amend"
    """Claim late usage for a draft that waits."""
    BILL = "bill"
    """Publish the report, create and finalize the invoice in one Stripe step, wait for Stripe's event, then settle."""
    CREATE = "create"
    """Publish the report and create the draft in Stripe."""
    FINALIZE = "finalize"
    """Finalize the draft, wait for Stripe's event, then refresh."""
    POLL = "poll"
    """The event did not come: finalize and wait again, for longer."""
    REFRESH = "refresh"
    """Fetch the Stripe invoice, compare the books, adopt its state."""
    VOID = "void"
    """Void the invoice in Stripe, as a person decided."""
    BLOCK = "block"
    """A step failed permanently: block the invoice. Never returned by `next_step`."""
    AWAIT_OPERATOR = "await operator"
    """The invoice is blocked: wait for a person, or for Stripe."""
    AWAIT_POLICY = "await policy"
    """The invoice is a draft: wait for its approval, or for its grace to end."""
    REST = "rest"
    """Nothing is awaited: the workflow completes."""


_REFRESHING = frozenset({Step.BILL, Step.FINALIZE, Step.POLL, Step.REFRESH, Step.VOID, Step.BLOCK})
"""After these steps the invoice is loaded again before the workflow does anything but wait."""


@dataclass(frozen=True)
class Inbox:
    """The messages that an invoice's workflow has received and not handled yet, and its last step.

    `stripe_changed`: Stripe has an event for the invoice; `events`: the types of these events. `retry`: a person
    retried it or made a decision. `amend`: late usage may have to be claimed. `granted`: a retry arrived before the
    last load; a later retry counts for the next load. `doubted`: the one Stripe step found something unusual. `last`:
    the last step; None before the first step and after a wait.
    """

    stripe_changed: bool = False
    events: tuple[str, ...] = ()
    retry: bool = False
    amend: bool = False
    granted: bool = False
    doubted: bool = False
    last: Step | None = None

    @property
    def wakes_blocked(self) -> bool:
        """Whether the workflow of a blocked invoice, or one about to rest, resumes."""
        return self.stripe_changed or self.retry

    @property
    def wakes_waiting(self) -> bool:
        """Whether the workflow of a draft that waits by its policy resumes."""
        return self.wakes_blocked or self.amend

    def taking(self, step: Step) -> Inbox:
        """Return the inbox as `step` begins, without the messages that the step handles."""
        if step is Step.LOAD:
            return replace(self, granted=self.retry, retry=False, last=step)
        if step is Step.AMEND:
            return replace(self, amend=False, last=step)
        if step in (Step.REFRESH, Step.VOID):
            return replace(self.without_events(), last=step)
        return replace(self, last=step)

    def hearing(self, event: str) -> Inbox:
        """Return the inbox with an event of this type."""
        return replace(self, stripe_changed=True, events=(*self.events, event))

    def without_events(self) -> Inbox:
        """Return the inbox as Stripe is asked, or has just answered all that these events tell."""
        return replace(self, stripe_changed=False, events=())

    def resting(self) -> Inbox:
        """Return the inbox of a workflow about to rest: an event that needs no refresh counts as handled."""
        return self if self.last in _REFRESHING else self.without_events()


class Standing(Protocol):
    """The part of an invoice that `next_step` reads."""

    @property
    def state(self) -> InvoiceState:
        """The invoice's state."""

    @property
    def in_one_step(self) -> bool:
        """Whether one Stripe step creates and finalizes it: nothing of it is in Stripe, and nobody is waited for."""

    @property
    def void_requested(self) -> bool:
        """Whether a person has decided to void the invoice."""

    @property
    def tries_again(self) -> bool:
        """Whether it is blocked and resumes by itself, at an event of its customer or daily."""

    @property
    def awaits_approval(self) -> bool:
        """Whether the invoice is a draft that a person must approve first."""

    @property
    def waits_until(self) -> datetime | None:
        """For a draft in its grace: an instant shortly before Stripe would finalize it."""

    @property
    def stripe_invoice_id(self) -> str | None:
        """The id of its Stripe invoice, if there is one."""


def waits_by_policy(invoice: Standing, now: datetime) -> bool:
    """Return whether the invoice is a draft that waits by its policy: for an approval, or in Stripe's grace."""
    if invoice.state is not _S.DRAFT:
        return False
    return invoice.awaits_approval or (invoice.waits_until is not None and now < invoice.waits_until)


def next_step(invoice: Standing | None, inbox: Inbox, now: datetime) -> Step:
    """Return what the workflow does next. `invoice` is None before it is loaded, or if Postgres does not know it."""
    if inbox.last is None:
        return Step.LOAD
    if invoice is None:
        return Step.REST
    if inbox.last in _REFRESHING:
        return _after_stripe(invoice, inbox, now)
    return (_first(invoice, inbox) if inbox.last is Step.LOAD else None) or _onwards(invoice, inbox, now)


def _first(invoice: Standing, inbox: Inbox) -> Step | None:
    """Decide right after loading: a person's decision comes before everything else."""
    if invoice.state is _S.BLOCKED and not inbox.granted:
        if invoice.tries_again and inbox.stripe_changed and not _is_to_be_voided(invoice):
            return Step.RESUME
        return Step.REFRESH if inbox.stripe_changed else Step.AWAIT_OPERATOR
    if _is_to_be_voided(invoice):
        return Step.VOID
    return Step.RESUME if invoice.state is _S.BLOCKED else None


def _onwards(invoice: Standing, inbox: Inbox, now: datetime) -> Step:
    """Move the invoice from its state towards the next wait. Each step runs once between two loads."""
    # A second request to amend that arrives meanwhile waits for the next load.
    if invoice.state is _S.DRAFT and inbox.amend and inbox.last in (Step.LOAD, Step.RESUME):
        return Step.AMEND
    if invoice.state is _S.CLAIMED and inbox.last is not Step.CREATE:
        return Step.BILL if invoice.in_one_step else Step.CREATE
    if _is_to_be_voided(invoice):
        return Step.VOID
    if waits_by_policy(invoice, now):
        return Step.REFRESH if inbox.stripe_changed else Step.AWAIT_POLICY
    if invoice.state is _S.DRAFT:
        return Step.FINALIZE
    if invoice.state is _S.FINALIZED or (inbox.stripe_changed and invoice.stripe_invoice_id is not None):
        return Step.REFRESH
    return Step.AWAIT_OPERATOR if invoice.state is _S.BLOCKED else Step.REST


def _after_stripe(invoice: Standing, inbox: Inbox, now: datetime) -> Step:
    """Decide after Stripe was queried or changed: wait, rest, or load again if something is left to do."""
    if invoice.state is _S.BLOCKED:
        return Step.AWAIT_OPERATOR
    if waits_by_policy(invoice, now):
        return Step.AWAIT_POLICY
    if invoice.state is _S.CLAIMED and inbox.last is Step.BILL and not _is_to_be_voided(invoice):
        return Step.CREATE  # the one step found something that the separate steps handle
    if invoice.state is _S.DRAFT and inbox.last in (Step.FINALIZE, Step.POLL) and not inbox.retry:
        return Step.POLL
    return Step.LOAD if invoice.state is _S.DRAFT or _is_to_be_voided(invoice) else Step.REST


def _is_to_be_voided(invoice: Standing) -> bool:
    return invoice.void_requested and invoice.state not in _CANNOT_BE_VOIDED
