"""`/webhook`: what Stripe delivers, and how far its events are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web

from contracts.messages.events import CURSOR
from starter.acting.offers import act
from starter.console.frame import page
from starter.console.services import services
from storage.recovery import event_cursor
from storage.recovery.event_cursor import StoredCursor

routes = web.RouteTableDef()


@dataclass(frozen=True)
class WebhookView:
    """What Stripe delivers. `cursor`: None if its events were never read; `word`: how it is, in a word."""

    cursor: StoredCursor | None
    word: str
    detail: str
    read_now: str


@routes.get("/webhook")
async def webhook(request: web.Request) -> web.Response:
    """Show the webhook and the catch-up."""
    at = services(request)
    cursor = await event_cursor.load(at.db, CURSOR)
    word, detail = _how_it_is(cursor, at.terms(datetime.now(UTC)).unread_after)
    return page(request, "pages/webhook.html", "Webhook", WebhookView(cursor, word, detail, act("catch-up")))


def _how_it_is(cursor: StoredCursor | None, unread_after: timedelta) -> tuple[str, str]:
    if cursor is None:
        return "waiting", "Stripe's events were never read: the schedule reads them, or the button."
    if cursor.is_silent:
        return "away", "Stripe could not deliver its newest event. The catch-up reads what the webhook misses."
    if datetime.now(UTC) - cursor.updated_at > unread_after:
        return "late", "Stripe's events are not being read: is the schedule paused, or a worker away?"
    return "good", "Stripe delivers its events, and they are read."
