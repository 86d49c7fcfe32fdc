"""Random histories of instances: the rows about each, in the order of what happened, and the files that have them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
CLASSES = ("default", "xl", "gpu", "unheard-of", "")
_ONE = Decimal(1)
_QUANTITIES = (_ONE, _ONE, Decimal(8), Decimal("0.25"), Decimal("1.000001"))

STORM_WAVES = (1, 2, 3, 4, 5)
"""Late files that are imported in the storm. Each holds rows with an update time or rows without one, not both: an
import stores first one kind and then the other, and can be killed in between."""
CALM_WAVES = (6, 7)
"""Late files that are imported after the month was billed."""
WAVES = (*STORM_WAVES, *CALM_WAVES)
UNTIMED_WAVES = (1, 5)
CORRECTIONS = (4, 5, 7)
"""Files that are imported with `--correct`."""


@dataclass(frozen=True)
class ChaosRow:
    """A row about an instance. `at`: its update time, or None. `wave`: the late file that has it; 0: the first file.

    `shape`: which of the columns for the stop and the quantity it fills. `event`: what happened at `at`, as an event
    reports it (started, changed, alive, stopped); empty for a row, which reports the whole state.
    """

    at: int | None
    payer: str
    workspace_class: str
    quantity: Decimal
    start: int
    stop: int | None
    wave: int = 0
    shape: int = 0
    event: str = ""


@dataclass
class History:
    """Draws the rows about an instance, in the order of what happened to it.

    `payers`: who can pay; the first one begins. `always_late`: no row with an update time is in the first file.
    """

    rng: random.Random
    payers: Sequence[str]
    latest: int
    rows: list[ChaosRow]
    always_late: bool = False

    def timed(self) -> None:
        """Add update times to the first row, and what happened to the instance later."""
        first = self.rows[0]
        self.rows = []
        self._run(replace(first, stop=None), first.stop)
        if first.stop is not None and self.rng.random() < 0.4:
            self._restart()

    def mixed(self) -> None:
        """Keep the first row without an update time, and add later rows with an update time."""
        first = self.rows[0]
        self.timed()
        self.rows = [replace(first, stop=None), *self.rows[1:]]
        self.always_late = True

    def untimed(self, wave: int) -> None:
        """Add a row without an update time: a stop, another stop, or another run."""
        first = self.rows[0]
        if wave in CORRECTIONS:
            self.rows = [first, replace(self._corrected(first), at=None)]
        elif first.stop is None:
            self.rows = [first, replace(first, stop=self._between(first.start, self.latest))]
        elif self.rng.random() < 0.5:
            stop = self._between(first.start, first.stop + 10 * HOUR)
            self.rows = [replace(first, stop=None) if self.rng.random() < 0.7 else first, replace(first, stop=stop)]
        else:
            least = int(first.stop == first.start)
            start = first.stop + self.rng.choice((least, 1, self.rng.randrange(least, 3 * DAY)))
            self.rows = [first, self._changed(replace(first, start=start, stop=self._stop_after(start)), payer=True)]
        self.rows[1] = replace(self.rows[1], wave=wave, shape=self.rng.randrange(3))

    def events(self) -> None:
        """Report what happens to the instance by events. Each has an instant of its own, which is what it reports."""
        first = self.rows[0]
        self.rows = []
        self._reported(first, first.stop)
        last = self.rows[-1]
        if last.stop is not None and self.rng.random() < 0.5:
            start = (last.at or 0) + self.rng.choice((1, self.rng.randrange(1, 10 * HOUR)))
            again = self._changed(replace(last, start=start, stop=None), payer=True)
            self._reported(again, self._stop_after(start))

    def _reported(self, row: ChaosRow, stop: int | None) -> None:
        """Add the events of a run: its start, changes and signs, its stop, and a later stop that changes nothing."""
        row = self._add(replace(row, at=row.start, stop=None, event="started"))
        end = min(self.latest, stop or self.latest)
        for _ in range(self.rng.randrange(4)):
            at = self._between(row.at or 0, end)
            changed = self._changed(row, payer=True)
            row = self._add(replace(changed, at=at, event="alive" if changed == row else "changed"))
        if stop is not None:
            at = max(stop, (row.at or 0) + 1)
            self._add(replace(row, at=at, stop=at, event="stopped"))
            if self.rng.random() < 0.2:
                self._add(replace(row, at=at + self.rng.randrange(1, 5 * HOUR), stop=at, event="stopped"))

    def deliver(self, waves: Sequence[int]) -> None:
        """Spread the rows with an update time over the first file and these waves.

        A file that has both kinds of rows of one instance is refused in part.
        """
        given = [wave for wave in waves if wave not in CORRECTIONS]
        for number, row in enumerate(self.rows):
            late = self.always_late or self.rng.random() < (0.15 if number == 0 else 0.5)
            if row.at is not None and late:
                self.rows[number] = replace(row, wave=self.rng.choice(given))

    def correct(self, wave: int) -> None:
        """Add a correction by one row, or by a row and a change."""
        last = self.rows[-1]
        at = last.start + 1 if last.at is None else last.at
        self._add(replace(self._corrected(last), wave=wave, at=at, event=""))
        if self.rng.random() < 0.3:
            last = self.rows[-1]
            self._add(replace(self._changed(last, payer=True), at=self._between(last.start, self.latest)))

    def _run(self, row: ChaosRow, stop: int | None) -> None:
        """Add the rows of a run: its start, changes and signs, its stop, and another stop."""
        row = self._add(replace(row, at=row.start + self.rng.randrange(MINUTE)))
        end = min(self.latest, stop or self.latest)
        moments = (
            [row.start + self.rng.randrange(end - row.start) for _ in range(self.rng.randrange(4))]
            if (end > row.start + 1)
            else []
        )
        for at in sorted(moments):
            row = self._add(replace(self._changed(row, payer=True), at=at))
        if stop is None:
            return
        if self.rng.random() < 0.1:
            row = self._changed(row, payer=False)
        row = self._add(replace(row, at=stop + self.rng.randrange(HOUR), stop=stop))
        if self.rng.random() < 0.2:  # a row of the same instant without the stop
            self.rows.insert(-1, replace(row, stop=None))
        if self.rng.random() < 0.2:
            moved = self._between(row.start, stop + 5 * HOUR)
            self._add(replace(row, at=max(stop, moved) + self.rng.randrange(HOUR), stop=moved))

    def _restart(self) -> None:
        last = self.rows[-1]
        stops = [row.stop for row in self.rows if row.stop is not None]
        start = max(stops) + self.rng.choice((0, 1, self.rng.randrange(10 * HOUR), self.rng.randrange(3 * DAY)))
        row = self._changed(replace(last, start=start, stop=None), payer=True)
        self._run(row, self._stop_after(start))

    def _add(self, row: ChaosRow) -> ChaosRow:
        before = self.rows[-1].at if self.rows else None
        at = row.at if before is None or row.at is None else max(row.at, before + 1)
        self.rows.append(replace(row, at=at, shape=self.rng.randrange(3)))
        return self.rows[-1]

    def _changed(self, row: ChaosRow, *, payer: bool) -> ChaosRow:
        """Return the row with another class, quantity or payer, or with none of them: a sign that it runs."""
        others = [each for each in self.payers if each != row.payer]
        match self.rng.randrange(4):
            case 0:
                return replace(row, workspace_class=self.rng.choice(CLASSES))
            case 1:
                return replace(row, quantity=self.rng.choice(_QUANTITIES))
            case 2 if payer and others:
                return replace(row, payer=self.rng.choice(others))
            case _:
                return row

    def _corrected(self, row: ChaosRow) -> ChaosRow:
        if self.rng.random() < 0.7:
            row = replace(row, stop=self._between(row.start, (row.stop or self.latest) + 10 * HOUR))
        return self._changed(row, payer=True)

    def _between(self, low: int, high: int) -> int:
        return self.rng.randrange(low, max(low, high) + 1)

    def _stop_after(self, start: int) -> int | None:
        if self.rng.random() < 0.3:
            return None
        return start + self.rng.randrange(2 * self.rng.choice((1, MINUTE, HOUR, 10 * HOUR, 3 * DAY, 20 * DAY)))
