"""Half-open intervals of time: `[start, end)`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Interval:
    """The time from `start` up to, but not including, `end`, which is None while it is open. Instants are aware."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class ClosedInterval:
    """The time from `start` up to, but not including, `end`. Instants are aware."""

    start: datetime
    end: datetime
