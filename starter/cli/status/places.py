"""The pages of what waits: in the console, in Stripe and in Temporal."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from contracts import workflow_ids
from settings import Settings
from starter.links import Link, links, stripe_url, temporal_ui, workflow_url
from storage.waiting.waiting import WaitingThing


def places_of_all(settings: Settings) -> list[Link]:
    """Return the console's list of what waits and the Temporal UI, as far as their addresses are known."""
    return links(console=_console(settings, "waiting"), temporal_UI=temporal_ui(settings))


def places_of(settings: Settings, mode: str | None, thing: WaitingThing, stripe_ids: Mapping[str, str]) -> list[Link]:
    """Return the pages of a thing. `mode`: of Stripe's key; `stripe_ids`: of invoices, by their keys."""
    key = thing.invoice_key
    stripe_id = stripe_ids.get(key or "", thing.subject)
    return links(
        console=_console(settings, _page(thing)),
        stripe=stripe_url(settings, stripe_id, live=None if mode is None else mode == "live"),
        workflow=None if key is None else workflow_url(settings, workflow_ids.invoice(key)),
    )


def _page(thing: WaitingThing) -> str:
    for folder, name in (
        ("invoices", thing.invoice_key),
        ("instances", thing.instance_id),
        ("accounts", thing.attribution_id),
        ("periods", thing.billing_period),
    ):
        if name is not None:
            return f"{folder}/{quote(name, safe='/:')}"
    return "waiting"


def _console(settings: Settings, page: str) -> str | None:
    return None if settings.console_url is None else f"{settings.console_url}/{page}"
