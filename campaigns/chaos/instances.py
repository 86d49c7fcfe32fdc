"""Random instances: how each is reported, and all rows about it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from campaigns.chaos.histories import (
    CALM_WAVES,
    CLASSES,
    CORRECTIONS,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    UNTIMED_WAVES,
    ChaosRow,
    History,
)

Way = Literal["file", "query", "rows", "events"]
"""What reports an instance: files; a database that a source reads; rows or events that are sent to the API."""
_REPORTED_LATE = 5 * DAY


@dataclass(frozen=True)
class ChaosInstance:
    """An instance and all rows about it, of every file. `valid`: billable."""

    id: str
    rows: tuple[ChaosRow, ...]
    valid: bool = True
    way: Way = "file"

    @property
    def created(self) -> int:
        """When it was created; an invalid one more than a day after its start."""
        return min(row.start for row in self.rows) + (0 if self.valid else 2 * DAY)


@dataclass(frozen=True)
class MonthSpans:
    """The month to bill and the one after it, in µs: `start`, `end`, `following_end`; and when `rates` change.

    `slices`: of what a database reports, the wave that has the rows up to an instant, one after the other.
    """

    start: int
    end: int
    following_end: int
    rates: tuple[int, ...]
    slices: tuple[tuple[int, int], ...]


def random_slices(rng: random.Random, start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return waves of the storm and the calm, each with the instant up to which a database has reported everything."""
    first = rng.randrange(start + 10 * DAY, end)
    second = first + rng.randrange(6 * DAY)
    third = second + rng.randrange(6 * DAY)
    return ((0, first), (2, second), (3, third), (CALM_WAVES[0], 10**18))


def random_instance(
    rng: random.Random, spans: MonthSpans, name: str, payers: Sequence[str], late: Sequence[int], way: Way
) -> ChaosInstance:
    """Return an instance that the first of `payers` begins to pay for. `late`: the storm's files that can have it."""
    first = _first_row(rng, spans, payers[0])
    history = History(rng, payers, spans.following_end, [first])
    if way != "file":
        return _arriving(rng, spans, history, name, late, way)
    kind = rng.random()
    untimed = [wave for wave in (*late, *CALM_WAVES) if wave in (*UNTIMED_WAVES, *CALM_WAVES)]
    timed = [wave for wave in (*late, *CALM_WAVES) if wave not in UNTIMED_WAVES]
    if kind < 0.45:
        wave = rng.choice(late) if late and rng.random() < 0.3 else 0
        at = None if wave in UNTIMED_WAVES or (not wave and rng.random() < 0.8) else max(first.start, first.stop or 0)
        row = replace(first, at=at, wave=wave, shape=rng.randrange(3))
        return ChaosInstance(name, (row,), valid=rng.random() > 0.08)
    if kind < 0.6:
        history.untimed(rng.choice(untimed))
    else:
        if kind < 0.9:
            history.timed()
        else:
            history.mixed()
        history.deliver(timed)
        if rng.random() < 0.3:
            history.correct(rng.choice([wave for wave in timed if wave in CORRECTIONS]))
    return ChaosInstance(name, tuple(history.rows))


def _arriving(
    rng: random.Random, spans: MonthSpans, history: History, name: str, late: Sequence[int], way: Way
) -> ChaosInstance:
    """Return an instance all of whose rows have an update time, as those that arrive by themselves must."""
    first, is_valid = history.rows[0], True
    if way == "events":
        history.events()
    elif rng.random() < 0.3:
        history.rows = [replace(first, at=max(first.start, first.stop or 0), shape=rng.randrange(3))]
        is_valid = rng.random() > 0.08
    else:
        history.timed()
    timed = [wave for wave in (*late, *CALM_WAVES) if wave not in UNTIMED_WAVES]
    if way == "query":
        history.rows = [replace(row, wave=_slice(rng, spans, row.at or 0)) for row in history.rows]
        if rng.random() < 0.15:
            history.correct(CALM_WAVES[-1])
    else:
        history.deliver(timed)
        if is_valid and rng.random() < 0.3:
            history.correct(rng.choice([wave for wave in timed if wave in CORRECTIONS]))
    return ChaosInstance(name, tuple(history.rows), is_valid, way)


def _slice(rng: random.Random, spans: MonthSpans, at: int) -> int:
    """Return the wave in which a database reports what happened at an instant: mostly the first that can."""
    number = next(number for number, (_, until) in enumerate(spans.slices) if at <= until)
    wave, until = spans.slices[number]
    if until - at < _REPORTED_LATE and rng.random() < 0.3:
        return spans.slices[number + 1][0]
    return wave


def _first_row(rng: random.Random, spans: MonthSpans, payer: str) -> ChaosRow:
    edges = (spans.start, spans.end, spans.following_end, *spans.rates)
    if rng.random() < 0.2:
        start = rng.choice(edges) + rng.choice((-1, 0, 1)) * rng.choice((1, HOUR))
    else:
        start = rng.randrange(spans.start - 15 * DAY, spans.following_end)
    length = rng.choice((1, SECOND, MINUTE, HOUR, 10 * HOUR, 3 * DAY, 40 * DAY))
    stop: int | None = start + rng.randrange(2 * length)
    if rng.random() < 0.1:
        stop = max(start, rng.choice(edges) + rng.choice((-1, 0, 1)))
    if rng.random() < 0.12:
        stop = None
    quantity = rng.choice((Decimal(1), Decimal(1), Decimal(2), Decimal("0.5")))
    return ChaosRow(None, payer, rng.choice(CLASSES), quantity, start, stop)
