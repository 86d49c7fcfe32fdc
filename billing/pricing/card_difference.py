"""The first difference between two rate cards, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Described = Sequence[Mapping[str, Any]]
"""A rate card as `RateCard.describe` returns it."""
_ORDER = ("credits_per_minute", "price_per_credit", "tiers", "included_credits", "minimum_charge")


def first_difference(theirs: Described, ours: Described) -> str:
    """Return the oldest version's first difference: "xl has 2 ..., not 1 ..."; empty if the cards are equal."""
    mine = {version["effective_from"]: version for version in ours}
    other = {version["effective_from"]: version for version in theirs}
    for start in sorted({*mine, *other}):
        if start not in mine:
            return f"only the other card has a version from {start}"
        if start not in other:
            return f"the other card has no version from {start}"
        for name in _ORDER:
            if found := _in_table(name, other[start].get(name), mine[start].get(name)):
                return f"from {start}, {found}"
    return ""


def _in_table(name: str, theirs: Any, ours: Any) -> str:
    if theirs == ours:
        return ""
    if not isinstance(theirs, Mapping) or not isinstance(ours, Mapping):
        return f"{name} is {_shown(theirs)} instead of {_shown(ours)}"
    key = min(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    return f"{name}.{key} is {_shown(theirs.get(key))} instead of {_shown(ours.get(key))}"


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
