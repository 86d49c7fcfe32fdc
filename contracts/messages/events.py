"""What Stripe's events wake, and the messages of the catch-up that reads them from a stored cursor."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message
from contracts.messages.invoices import StripeEvent

CURSOR = "stripe-events"
"""The name of the only cursor."""


class WakeUp(Message):
    """A workflow to signal, or to start if it rests. Compact: a page of a hundred is a few kilobytes."""

    workflow: str
    workflow_id: str
    input: dict[str, str]
    """The workflow's input as JSON, which only names the subject."""
    event: StripeEvent
    summary: str
    attribution_id: str | None = None
    billing_period: str | None = None


class EventDeliveries(Message):
    """What Stripe said of its own deliveries, of the events of a page: how far webhooks received them.

    `undelivered`: events that an endpoint of the account had not received. The instants are those of the newest event
    of each kind; None if there is none.
    """

    undelivered: int = 0
    undelivered_at: datetime | None = None
    delivered_at: datetime | None = None


class EventCursor(Message):
    """The newest event whose wake-ups, and those of all events before it, were delivered.

    `event_id` is empty if there was no event so far.
    """

    event_id: str
    event_created: datetime
    adopted_until: datetime | None = None
    """When the newest event before the first run was created."""
    updated_at: datetime | None = None
    """When Stripe's events were last read from this cursor."""


class CursorRef(Message):
    """Names a cursor."""

    name: str = CURSOR


class CursorFound(Message):
    """The stored cursor; None before the first run."""

    cursor: EventCursor | None


class ListStripeEvents(Message):
    """Asks for the page of events after the cursor, or without a cursor for the oldest that Stripe still has."""

    cursor: EventCursor | None


class PagedWakeUp(WakeUp):
    """The wake-up of one workflow by all events of a page that concern it; `event` is the first of them."""

    types: list[str]
    """The types of all these events."""


class StripeEventsPage(Message):
    """At most 100 events, oldest first, as wake-ups of the workflows that they concern."""

    wake_ups: list[PagedWakeUp]
    events: int
    foreign: int
    cursor: EventCursor
    """Where the next page begins."""
    more: bool
    lost: str | None = None
    """Why events may be missing between the cursor and the page."""
    deliveries: EventDeliveries = EventDeliveries()
    freed_customers: list[str] = Field(default_factory=list)
    """Customers of foreign invoices that have ended."""


class DeliverWakeUps(Message):
    """Asks to wake these workflows, except those that have nothing to learn according to Postgres.

    Invoices of `freed_customers` that wait because of their currency are woken as well.
    """

    wake_ups: list[PagedWakeUp]
    freed_customers: list[str] = Field(default_factory=list)


class WakeUpsDelivered(Message):
    """How many workflows were signaled, and how many were not because their invoice is in that state already."""

    signalled: int
    satisfied: int


class MoveCursor(Message):
    """Asks to advance the cursor to `cursor`, if it is still at `was`."""

    was: EventCursor | None
    cursor: EventCursor
    name: str = CURSOR
    deliveries: EventDeliveries = EventDeliveries()
    """Of the events before the cursor."""


class CatchUpInput(Message):
    """Starts `EventsCatchUpWorkflow`; the fields carry a run across continue-as-new."""

    pages: int = 0
    events: int = 0
    foreign: int = 0
    signalled: int = 0
    satisfied: int = 0
    notes: list[str] = Field(default_factory=list)


class CatchUpResult(Message):
    """The result of a catch-up. `until` is the time of the newest event that was ever read."""

    pages: int
    events: int
    foreign: int
    signalled: int
    satisfied: int
    notes: list[str]
    until: datetime | None
