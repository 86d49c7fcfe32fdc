"""Stripe's events, read forward from a cursor."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant
from activities.stripe.errors import stripe_step
from contracts.messages.events import EventCursor, EventDeliveries, ListStripeEvents, PagedWakeUp, StripeEventsPage
from contracts.names import Activities, Workflows
from reconciliation.event_routing import MalformedEventError, Unhandled, wake_up
from reconciliation.event_types import CAUGHT_UP_EVENTS
from reconciliation.freed_customers import freed_customer

_PAGE = 100
_MOST_TYPES = 20
_KEPT_SECONDS = 31 * 86_400
"""Slightly longer than the 30 days for which Stripe keeps events."""
_GONE = (400, 404)


class StripeEventActivities:
    """Lists events. Events younger than `quiet_seconds` are left to the webhook and the next run."""

    def __init__(self, client: StripeClient, quiet_seconds: float) -> None:
        self._events = client.v1.events
        self._quiet_seconds = quiet_seconds

    @activity.defn(name=Activities.LIST_STRIPE_EVENTS)
    async def list_events(self, order: ListStripeEvents) -> StripeEventsPage:
        """List at most 100 events after the cursor, oldest first; return the workflows that they wake.

        Raises:
            ApplicationError: non-retryable if Stripe refuses the request.
        """
        async with stripe_step():
            cursor, lost = order.cursor, None
            if cursor is not None and cursor.event_id:
                try:
                    found, more = await self._list(ending_before=cursor.event_id)
                    return _page(found, more, cursor, cursor.adopted_until, _noted(_forgotten(cursor)))
                except stripe.InvalidRequestError as error:
                    if not _is_gone(error):
                        raise
                lost = _noted(_lost(cursor))
            found, more, newest = await self._oldest()
            return _page(found, more, cursor, cursor.adopted_until if cursor else newest, lost)

    async def _oldest(self) -> tuple[list[dict[str, Any]], bool, datetime | None]:
        """Return the oldest page, whether events follow it, and the creation time of the newest event.

        Stripe lists from newest to oldest, so the oldest page is searched by time: halving the interval needs at most
        22 requests, whatever the number of events.
        """
        found, older = await self._list()
        newest = found[-1]["created"] if found else None
        if not older or newest is None:
            return found, False, instant(newest)
        low, high = newest - _KEPT_SECONDS, newest
        while older and high - low > 1:
            middle = (low + high) // 2
            earlier, older_still = await self._list(middle)
            if not earlier:
                low = middle
            else:
                found, older, high = earlier, older_still, middle
        while older:  # more than a page within one second
            found, older = await self._list(starting_after=found[0]["id"])
        return found, True, instant(newest)

    async def _list(self, latest: int | None = None, **place: str) -> tuple[list[dict[str, Any]], bool]:
        """Return a page, oldest first, and whether more events follow in the requested direction."""
        bounds = [] if latest is None else [latest]
        if self._quiet_seconds:
            bounds.append(int(time.time() - self._quiet_seconds))
        created = {"created": {"lte": min(bounds)}} if bounds else {}
        params = {"limit": _PAGE, **created, **types_wanted(CAUGHT_UP_EVENTS), **place}
        page = await self._events.list_async(params)  # type: ignore[arg-type]
        return [as_dict(event) for event in reversed(page.data)], page.has_more


def types_wanted(types: list[str]) -> dict[str, list[str]]:
    """Return the filter by type. Stripe accepts at most 20 types; with more, all events are read and others skipped."""
    return {"types": types} if len(types) <= _MOST_TYPES else {}


def _is_gone(error: stripe.InvalidRequestError) -> bool:
    # The request names one object, the cursor.
    return error.http_status in _GONE and "resource_missing" in (error.code, error.error and error.error.code)


def _noted(lost: str | None) -> str | None:
    if lost is not None:
        activity.logger.warning("%s", lost)
    return lost


def _lost(cursor: EventCursor) -> str:
    text = f"Stripe no longer has {cursor.event_id} of {cursor.event_created:%Y-%m-%d %H:%M UTC}: read from the oldest"
    forgotten = _forgotten(cursor)
    return text if forgotten is None else f"{text}. {forgotten}"


def _forgotten(cursor: EventCursor) -> str | None:
    """Say that events are gone, if the last read was too long ago. Stripe may list the newer ones all the same."""
    since = cursor.updated_at or cursor.event_created
    if (datetime.now(UTC) - since).days < _KEPT_SECONDS // 86_400 - 1:
        return None
    return (
        f"The last read was more than 30 days ago ({since:%Y-%m-%d %H:%M UTC}), so events in between are gone: "
        "run `perdure accounts sync`, then `perdure invoices retry KEY` for each invoice that still waits"
    )


def _page(
    found: list[dict[str, Any]],
    more: bool,
    was: EventCursor | None,
    adopted_until: datetime | None,
    lost: str | None,
) -> StripeEventsPage:
    wake_ups: dict[str, PagedWakeUp] = {}
    foreign: list[dict[str, Any]] = []
    for event in found:
        try:
            target = wake_up(event)
        except MalformedEventError as error:
            activity.logger.error("a Stripe event cannot be read: %s", error)
            continue
        if isinstance(target, Unhandled):
            foreign += [event] if target is Unhandled.FOREIGN else []
            continue
        known = wake_ups.get(target.workflow_id)
        if known is not None:
            wake_ups[target.workflow_id] = known.model_copy(update={"types": [*known.types, target.event.type]})
        else:
            paged = PagedWakeUp(**target.model_dump(), types=[target.event.type])
            before = adopted_until is not None and target.event.created <= adopted_until
            wake_ups[target.workflow_id] = _of_adoption(paged) if before else paged
    return StripeEventsPage(
        wake_ups=list(wake_ups.values()),
        events=len(found),
        foreign=len(foreign),
        cursor=_cursor(found, was, adopted_until),
        more=more,
        lost=lost,
        deliveries=_deliveries(found),
        freed_customers=sorted({customer for event in foreign if (customer := freed_customer(event))}),
    )


def _deliveries(found: list[dict[str, Any]]) -> EventDeliveries:
    """Return which events Stripe had not delivered to every endpoint. It tries again for days."""
    missed = [event["created"] for event in found if event.get("pending_webhooks")]
    received = [event["created"] for event in found if event.get("pending_webhooks") == 0]
    return EventDeliveries(
        undelivered=len(missed),
        undelivered_at=instant(max(missed, default=None)),
        delivered_at=instant(max(received, default=None)),
    )


def _cursor(found: list[dict[str, Any]], was: EventCursor | None, adopted_until: datetime | None) -> EventCursor:
    """Return the cursor after these events."""
    if not found:
        return was or EventCursor(event_id="", event_created=datetime.now(UTC))
    created = instant(found[-1]["created"])
    assert created is not None
    return EventCursor(event_id=found[-1]["id"], event_created=created, adopted_until=adopted_until)


def _of_adoption(target: PagedWakeUp) -> PagedWakeUp:
    """Turn a subscription's creation from before the first run into a change: this deployment may be new.

    Otherwise an unknown account would be charged from its subscription's start, up to 30 days back.
    """
    if target.workflow != Workflows.SUBSCRIPTION:
        return target
    learned = {"type": "customer.subscription.updated", "created": datetime.now(UTC)}
    return target.model_copy(update={"event": target.event.model_copy(update=learned)})
