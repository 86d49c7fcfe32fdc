"""Jinja's filters: values to text. They decide nothing but the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from billing.money import format_amount

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_TONES: Mapping[str, str] = {
    **dict.fromkeys(
        ("paid", "billed", "issued", "settled", "agreed", "running", "active", "won", "good", "ok"), "good"
    ),
    **dict.fromkeys(("draft", "finalized", "claimed", "requested", "in progress", "waiting", "in grace"), "going"),
    **dict.fromkeys(("blocked", "failed", "held", "lost", "refused", "findings", "failing", "away", "stuck"), "bad"),
    **dict.fromkeys(("unpaid", "past due", "paused", "late", "uncollectible", "disputed", "not made"), "note"),
}


@dataclass(frozen=True)
class AmountParts:
    """An amount in the parts that are aligned by themselves: `1,234`, `.50`, `USD`."""

    whole: str
    fraction: str
    currency: str


def amount_parts(minor: int, currency: str) -> AmountParts:
    """Return the parts of an amount in minor units."""
    number, _, code = format_amount(minor, currency).partition(" ")
    whole, point, decimals = number.partition(".")
    return AmountParts(whole.replace("-", "−"), point + decimals, code)


def money(minor: int, currency: str) -> str:
    """Return an amount in minor units as text: `1,234.50 USD`."""
    return format_amount(minor, currency).replace("-", "−")


def instant(at: datetime | None) -> str:
    """Return an instant to the minute, in UTC: `2022-06-01 00:00`."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def exact(at: datetime) -> str:
    """Return an instant for machines: `2022-06-01T00:00:00+00:00`."""
    return at.astimezone(UTC).isoformat()


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago an instant was, or in how long it comes: `3 h ago`, `in 2 d`."""
    seconds = (now - at).total_seconds()
    size, unit = next(((size, unit) for unit, size in _UNITS if abs(seconds) >= size), (1, "s"))
    if abs(seconds) < 1:
        return "now"
    text = f"{int(abs(seconds) // size):,} {unit}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def hours(duration_us: int) -> str:
    """Return a duration in microseconds as `1,234:56 h`: hours and minutes, as people write them down."""
    minutes = round(Decimal(duration_us) / 60_000_000)
    return f"{minutes // 60:,}:{minutes % 60:02d} h"


def number(value: int | Decimal) -> str:
    """Return a number with its thousands separated."""
    return f"{value:,}".replace("-", "−")


def credits(value: Decimal) -> str:
    """Return credits, rounded to thousandths: `1,234.5`."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def tone(word: str) -> str:
    """Return how a state looks: `good`, `going`, `note`, `bad` or `quiet`."""
    return _TONES.get(word.replace("_", " "), "quiet")


def words(name: str) -> str:
    """Return a name of the code as words: `in_grace` becomes `in grace`."""
    return str(name).replace("_", " ")


def in_path(key: str) -> str:
    """Return a key or an id as a part of an address; its slashes stay."""
    return quote(key, safe="/:")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "amount_parts": amount_parts,
    "money": money,
    "instant": instant,
    "exact": exact,
    "ago": ago,
    "hours": hours,
    "number": number,
    "credits": credits,
    "tone": tone,
    "words": words,
    "in_path": in_path,
}
