"""The figures of an audit's checks in words."""

from __future__ import annotations

from billing.money import format_amount
from starter.words.times import hours


def figure_in_words(name: str, value: int | str) -> str:
    """Return a figure in human units, or "" if it is a duration of zero. JSON keeps every exact figure."""
    words, _, last = name.rpartition("_")
    if last == "us" and isinstance(value, int):
        return f"{words.replace('_', ' ')} {hours(value)}" if value else ""
    if words == "amount" and isinstance(value, int):
        return format_amount(value, last)
    return f"{name.replace('_', ' ')} {value}"
