"""`/v1/webhook_endpoints`."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.event_types import EVENT_TYPES
from stripe_emulator.engine.objects import Text, merge_metadata, new_id
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import (
    EXPAND,
    Params,
    Raw,
    Spec,
    boolean,
    choice,
    clearable,
    list_of,
    listing,
    metadata,
    string,
)
from stripe_emulator.params.versions import VERSIONS

_MOST = 16


def _event_type(raw: Raw, at: str) -> str:
    if raw not in EVENT_TYPES:
        raise StripeError(f"Invalid {at}: {raw!r} is not an event type that the Stripe emulator knows.", param=at)
    return str(raw)


def _url(raw: Raw, at: str) -> str:
    text = string()(raw, at)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StripeError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param=at
        )
    return str(text)


def create(ctx: Context) -> Obj:
    """Create an endpoint; only this answer includes its `secret`."""
    params = ctx.params
    if not params["enabled_events"]:
        raise StripeError("Invalid array: enabled_events is empty.", param="enabled_events")
    if ctx.store.count("webhook_endpoint") >= _MOST:
        raise StripeError(f"You have reached the maximum of {_MOST} test webhook endpoints.")
    endpoint: Obj = {
        "id": new_id("we_1"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": ctx.now,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata") or {}),
        "status": "enabled",
        "url": params["url"],
    }
    secret = f"whsec_{secrets.token_hex(16)}"
    ctx.store.set_meta(f"secret/{endpoint['id']}", secret)
    ctx.save("webhook_endpoint", endpoint)
    ctx.events.reload()
    return {**endpoint, "secret": secret}


def retrieve(ctx: Context) -> Text:
    """Return an endpoint without its secret."""
    return ctx.text("webhook_endpoint", ctx.ids[0])


def update(ctx: Context) -> Text:
    """Change an endpoint's URL, events, description or metadata, or disable or enable it."""
    endpoint = ctx.load("webhook_endpoint", ctx.ids[0])
    params = ctx.params
    for name in ("url", "enabled_events", "description"):
        if name in params:
            endpoint[name] = params[name]
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        endpoint["metadata"] = merge_metadata(endpoint["metadata"], params["metadata"])
    text = ctx.save("webhook_endpoint", endpoint)
    ctx.events.reload()
    return text


def delete(ctx: Context) -> Obj:
    """Delete an endpoint and its pending deliveries."""
    endpoint = ctx.load("webhook_endpoint", ctx.ids[0])
    ctx.store.delete("webhook_endpoint", endpoint["id"])
    ctx.store.run("DELETE FROM delivery WHERE endpoint=?", (endpoint["id"],))
    ctx.events.reload()
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_all(ctx: Context) -> Text:
    """List all endpoints."""
    return ctx.listing("/v1/webhook_endpoints", Query("webhook_endpoint"))


_FIELDS: dict[str, Spec] = {
    "description": clearable(string()),
    "enabled_events": list_of(_event_type),
    "expand": EXPAND,
    "metadata": metadata(),
    "url": _url,
}
ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/webhook_endpoints",
        Params(
            _FIELDS,
            api_version=choice(*VERSIONS),
            required=["enabled_events", "url"],
            unsupported="connect",
        ),
        create,
    ),
    Endpoint("GET", "/v1/webhook_endpoints", listing(), list_all),
    Endpoint("GET", "/v1/webhook_endpoints/{}", Params(expand=EXPAND), retrieve),
    Endpoint("POST", "/v1/webhook_endpoints/{}", Params(_FIELDS, disabled=boolean()), update),
    Endpoint("DELETE", "/v1/webhook_endpoints/{}", Params(), delete),
]
