"""Objects as JSON: their ids, their text, lists, and changes."""

from __future__ import annotations

import json
import secrets
from typing import Any

from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError


class Text(str):
    """JSON text that is sent unchanged."""

    __slots__ = ()


def new_id(prefix: str) -> str:
    """Return a new object id such as `in_1a2b...`."""
    return f"{prefix}_{secrets.token_hex(12)}"


def dumps(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def listed(texts: list[str], more: bool, url: str) -> Text:
    """Return a list object of JSON texts."""
    return Text(
        f'{{"object":"list","data":[{",".join(texts)}],"has_more":{"true" if more else "false"},"url":"{url}"}}'
    )


def changes(before: Obj, after: Obj) -> Obj:
    """Return an event's `previous_attributes`: the old values of changed fields, hashes one level deep."""
    previous: Obj = {}
    for name, old in before.items():
        new = after.get(name)
        if old == new or name in ("lines", "items"):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            keys = {*old, *new}
            previous[name] = {key: old.get(key) for key in sorted(keys) if old.get(key) != new.get(key)}
        else:
            previous[name] = old
    return previous


def merge_metadata(old: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """Return metadata after a change: `None` clears everything, an empty value removes its key.

    Raises:
        StripeError: there would be more than 50 keys.
    """
    if change is None:
        return {}
    merged = {key: value for key, value in {**old, **change}.items() if value != ""}
    if len(merged) > 50:
        raise StripeError("Metadata can have at most 50 keys.", param="metadata")
    return merged
