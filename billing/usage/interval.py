"""A stretch of time, half-open: `[start, end)`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Interval:
    """From `start`, and up to, but not including, `end`; `end` is None while it is open. Instants are aware."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class ClosedInterval:
    """From `start`, and up to, but not including, `end`. Instants are aware."""

    start: datetime
    end: datetime
