"""Which instants the axis of a plot names: round ones, as many as there is room for, and never none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_STEPS = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(_HOUR * hours for hours in (1, 3, 6, 12)),
    *(_DAY * days for days in (1, 2, 5, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_SECONDS, _MINUTES, _DAYS, _MONTHS_AND_YEARS = "%H:%M:%S", "%d %b %H:%M", "%d %b", "%b %Y"


def instants(first: datetime, last: datetime, most: int) -> tuple[list[datetime], str]:
    """Return round instants from the first to the last, at least two and at most `most`, and how to write them.

    They are the ends themselves where no round ones fit, with seconds if both are within the same minute.
    """
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    for step in _STEPS:
        if (last - first) / step <= most and 2 <= len(found := list(_every(step, first, last))) <= most:
            return found, _MINUTES if step < _DAY else _DAYS
    for months in _MONTHS:
        found = list(_every_months(months, first, last))
        if 2 <= len(found) <= most:
            return found, _MONTHS_AND_YEARS
    return [first, last], _SECONDS if last - first < timedelta(minutes=1) else _MINUTES


def _every(step: timedelta, first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the multiples of a step, counted from the midnight on or before the first."""
    at = first.replace(hour=0, minute=0, second=0, microsecond=0)
    at += step * -((at - first) // step)
    while at <= last:
        yield at
        at += step


def _every_months(months: int, first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the first day of every so many months, of January on."""
    number = (first.year * 12 + first.month - 1) // months * months
    while (at := datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)) <= last:
        if at >= first:
            yield at
        number += months
