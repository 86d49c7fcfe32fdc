"""Instants and durations, for people and for JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from billing.report.canonical import format_instant

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def when(
    at: datetime | None, precision: Literal["minutes", "seconds", "microseconds"] = "seconds", *, zone: bool = True
) -> str:
    """Format an instant for people, in UTC: `2022-06-01 00:00:00 UTC`. None becomes `-`.

    Args:
        at: an aware instant.
        precision: the smallest unit to show.
        zone: whether to append ` UTC`; in a table, the column's heading says so once.
    """
    if at is None:
        return "-"
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", precision)
    return f"{text} UTC" if zone else text


def ago(at: datetime, now: datetime | None = None) -> str:
    """Say how long ago an instant was, or in how long it comes, in its largest unit: `3 h ago`, `in 2 d`."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    amount = abs(seconds)
    unit, size = next(((unit, size) for unit, size in _UNITS if amount >= size), _UNITS[-1])
    if amount < 1:
        return "now"
    text = f"{int(amount // size):,} {unit}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def when_and_ago(at: datetime | None, *, zone: bool = True) -> str:
    """Format an instant to the minute, with the time since or until then: `2022-06-01 00:00 UTC (3 h ago)`."""
    return "-" if at is None else f"{when(at, 'minutes', zone=zone)} ({ago(at)})"


def json_instant(at: datetime | None) -> str | None:
    """Format an instant for JSON. Returns None for None."""
    return None if at is None else format_instant(at)


def clock(duration_us: int) -> str:
    """Format a duration in microseconds as hours and minutes, `1,234:30`, and seconds where they are not zero.

    Fractions of seconds are rounded: JSON has them.
    """
    minutes, seconds = divmod(round(Decimal(duration_us) / 1_000_000), 60)
    text = f"{minutes // 60:,}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text


def hours(duration_us: int) -> str:
    """Format a duration in microseconds for people: `1,234.56 h`."""
    return f"{Decimal(duration_us) / 3_600_000_000:,.2f} h"
