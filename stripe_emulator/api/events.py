"""`/v1/events`: the last 30 days, newest first."""

from __future__ import annotations

import json

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import Text, dumps, listed
from stripe_emulator.engine.store import Query
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import EXPAND, Params, list_of, listing, one_or_range, string

_KEPT = 30 * 86400


def _with_pending(ctx: Context, text: str) -> str:
    """Return the event with the number of endpoints that have not received it yet."""
    event = json.loads(text)
    rows = ctx.store.run("SELECT count(DISTINCT endpoint) FROM delivery WHERE event=?", (event["id"],))
    event["pending_webhooks"] = rows[0][0]
    return dumps(event)


def retrieve(ctx: Context) -> Text:
    """Return an event of any age."""
    return Text(_with_pending(ctx, ctx.text("event", ctx.ids[0])))


def list_all(ctx: Context) -> Text:
    """List events, also by `type` or `types`; a type can end in `*`."""
    one, many = ctx.params.get("type"), ctx.params.get("types")
    if one is not None and many is not None:
        raise StripeError("You may only specify one of these parameters: type, types.")
    # Ordered by creation, so that a cursor never misses an event if the clock was moved between two events.
    # The plus keeps SQLite from an index by time, whose rows it would have to sort.
    query = Query("event", [("+created >= ?", ctx.now - _KEPT)], by_place=True)
    types = [one] if one is not None else many or []
    if types:
        query.where.append((f"({' OR '.join(_condition(kind) for kind in types)})", None))
    page = json.loads(ctx.listing("/v1/events", query))
    return listed([_with_pending(ctx, dumps(event)) for event in page["data"]], page["has_more"], "/v1/events")


def _condition(kind: str) -> str:
    if not all(part.replace("_", "").isalnum() or part == "*" for part in kind.split(".")):
        raise StripeError(f"Invalid event type: {kind}", param="type")
    if kind.endswith("*"):
        return f"label GLOB '{kind}'"
    return f"label = '{kind}'"


ENDPOINTS = [
    Endpoint(
        "GET",
        "/v1/events",
        listing("delivery_success", created=one_or_range(), type=string(), types=list_of(string(), most=20)),
        list_all,
    ),
    Endpoint("GET", "/v1/events/{}", Params(expand=EXPAND), retrieve),
]
