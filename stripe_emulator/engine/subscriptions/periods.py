"""The billing periods of a subscription: calendar steps from its anchor."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta


def _add_months(start: datetime, months: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def _step(anchor: datetime, interval: str, count: int, number: int) -> datetime:
    if interval in ("day", "week"):
        return anchor + timedelta(days=number * count * (7 if interval == "week" else 1))
    return _add_months(anchor, number * count * (12 if interval == "year" else 1))


def period_at(anchor: int, interval: str, count: int, now: int) -> tuple[int, int]:
    """Return start and end, in seconds since the epoch, of the period that contains `now`.

    The day of the month is the anchor's, or the month's last day if the month is shorter.
    """
    start = datetime.fromtimestamp(anchor, UTC)
    instant = datetime.fromtimestamp(now, UTC)
    if interval in ("day", "week"):
        length = count * (7 if interval == "week" else 1)
        number = (instant - start).days // length
    else:
        months = (instant.year - start.year) * 12 + instant.month - start.month
        number = months // (count * (12 if interval == "year" else 1))
    while _step(start, interval, count, number) > instant:
        number -= 1
    while _step(start, interval, count, number + 1) <= instant:
        number += 1
    first, last = (_step(start, interval, count, n) for n in (number, number + 1))
    return int(first.timestamp()), int(last.timestamp())
