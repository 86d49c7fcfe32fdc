"""Messages of the catch-up that reads Stripe's events from a stored cursor."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message
from contracts.messages.wake_up import WakeUp

CURSOR = "stripe-events"
"""The name of the one cursor."""


class EventCursor(Message):
    """The newest event whose wake-ups were delivered, and those of all before it; `event_id` empty: none so far."""

    event_id: str
    event_created: datetime
    adopted_until: datetime | None = None
    """When the newest event was made that there was before the first run."""
    updated_at: datetime | None = None
    """When it was last read from."""


class CursorRef(Message):
    """Names a cursor."""

    name: str = CURSOR


class CursorFound(Message):
    """The stored cursor; none before the first run."""

    cursor: EventCursor | None


class ListStripeEvents(Message):
    """Asks for the page of events that follows the cursor; without one, for the oldest that Stripe still has."""

    cursor: EventCursor | None


class PagedWakeUp(WakeUp):
    """What several events of one page ask of the same workflow; `event` is the first of them."""

    types: list[str]
    """Of all of them."""


class StripeEventsPage(Message):
    """At most 100 events as the workflows they wake, oldest first."""

    wake_ups: list[PagedWakeUp]
    events: int
    foreign: int
    cursor: EventCursor
    """Where the next page begins."""
    more: bool
    lost: str | None = None
    """Why it was read from the oldest event, though there was a cursor."""


class DeliverWakeUps(Message):
    """Wake these workflows, but not those that Postgres shows to have nothing to learn."""

    wake_ups: list[PagedWakeUp]


class WakeUpsDelivered(Message):
    """How many were signalled, and how many were dropped as their invoice is there already."""

    signalled: int
    satisfied: int


class MoveCursor(Message):
    """Move the cursor on, if it is still where it `was`."""

    was: EventCursor | None
    cursor: EventCursor
    name: str = CURSOR


class CatchUpInput(Message):
    """Starts `EventsCatchUpWorkflow`; the fields carry a run over continue-as-new."""

    pages: int = 0
    events: int = 0
    foreign: int = 0
    signalled: int = 0
    satisfied: int = 0
    notes: list[str] = Field(default_factory=list)


class CatchUpResult(Message):
    """The result of a catch-up. `until`: of the newest event that was read, in this run or before."""

    pages: int
    events: int
    foreign: int
    signalled: int
    satisfied: int
    notes: list[str]
    until: datetime | None
