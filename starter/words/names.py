"""Accounts as a person knows them."""

from __future__ import annotations


def named(attribution_id: str, name: str | None) -> str:
    """Return an account's id, with its name if that is known: `acme (Aurora GmbH)`."""
    return f"{attribution_id} ({name})" if name else attribution_id
