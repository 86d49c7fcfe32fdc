"""What an action is: a page that says what will happen, and the doing of it once a person agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from billing.decided import DecidedFrom, DecidedWith
from billing.errors import InputError
from contracts.deciding import RecordDecisions
from starter.acting.plans import Plan
from starter.console.auth.people import Person
from starter.console.services import ConsoleServices
from storage.decisions.trail import DecisionKind
from temporal import asking


@dataclass(frozen=True)
class ActionField:
    """A field of an action's form. `choices`: pairs of a value and its words; `kind`: `text`, `check` or `hidden`.

    `checked`: whether a `check` is ticked.
    """

    name: str
    label: str = ""
    kind: str = "text"
    value: str = ""
    hint: str = ""
    required: bool = False
    choices: Sequence[tuple[str, str]] = ()
    checked: bool = False


@dataclass(frozen=True)
class ActionChoice:
    """A way to fill in what an action still needs: a small form of its own, which leads to the same page."""

    title: str
    fields: Sequence[ActionField]
    button: str = "Continue"


@dataclass(frozen=True)
class Proposal:
    """What a person agrees to.

    Args:
        plan: what will happen.
        button: what it is called when it is done: `Void the invoice`.
        back: the page of what it concerns.
        reason: whether a reason is `required`, `optional`, or not asked for (""); `customer` if the customer reads it.
        why: a reason to begin with.
        fields: what else the form asks for or carries.
        choices: what must be chosen first; then there is no button.
        danger: whether it takes something away.
    """

    plan: Plan
    button: str
    back: str
    reason: str = "optional"
    why: str = ""
    fields: Sequence[ActionField] = ()
    choices: Sequence[ActionChoice] = ()
    danger: bool = False


@dataclass(frozen=True)
class ActResult:
    """What happened, in a sentence, and the page that shows more. `tone`: `good`, `note` or `bad`."""

    said: str
    to: str
    tone: str = "good"


@dataclass(frozen=True)
class Given:
    """What a person has filled in, and who it is. `request`: an id of the form: sent twice, it is done once."""

    person: Person
    values: Mapping[str, str]
    request: str = ""

    def text(self, name: str) -> str:
        """Return a field's text, without blanks around it; "" if it is not there."""
        return self.values.get(name, "").strip()

    def need(self, name: str) -> str:
        """Return a field's text.

        Raises:
            InputError: it is empty.
        """
        if found := self.text(name):
            return found
        raise InputError(f"the field `{name}` is empty")

    @property
    def subject(self) -> str:
        """What the action concerns."""
        return self.need("subject")

    @property
    def by(self) -> str:
        """Who acts, as the trail names them."""
        return self.person.name

    @property
    def reason(self) -> str:
        """Why."""
        return self.text("reason")

    @property
    def place(self) -> DecidedFrom:
        """From where."""
        return DecidedFrom(origin=DecidedWith.CONSOLE, address=self.person.address)


class Action(Protocol):
    """Something that a person can do."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what would happen.

        Raises:
            InputError: there is no such thing, or what is filled in is malformed.
            DecisionRefusedError: it does not wait for this.
        """
        ...

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Do it; return what happened within a few seconds.

        Raises:
            InputError: as `propose`.
            DecisionError: it was refused, or no worker answers.
            RPCError: Temporal cannot be reached.
        """
        ...


async def record(at: ConsoleServices, given: Given, kind: DecisionKind, subject: str, reason: str = "") -> None:
    """Have a decision that Temporal carries out added to the trail.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    decided = RecordDecisions(
        request=given.request,
        kind=str(kind),
        subjects=[subject],
        by=given.by,
        reason=reason or given.reason,
        place=given.place,
        at=datetime.now(UTC),
    )
    await asking.record_decisions(at.temporal, decided)
