"""The fold: an instance's segments are a pure function of the set of facts about it. docs/facts.md explains the rule.

Facts are ordered by instant; of one instant, one with a stop comes last, then the greater canonical content. Any order
of arrival and any repetition gives the same segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby, pairwise
from typing import NamedTuple, cast

from billing.pricing.rating import DEFAULT_CLASS
from billing.usage.facts import COLUMNS, Fact, FactKind, Value, fact
from billing.usage.interval import Interval

_ONE = Decimal(1)
_RUN = ("started_time", "stopping_time", "stopped_time")
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_KNOWN_BEFORE = ""
"""The source of what was known about an instance before its first fact."""


class Terms(NamedTuple):
    """On which terms an instance runs: who pays, for which class, and how many units."""

    attribution_id: str | None
    workspace_class: str | None
    quantity: Decimal

    def same(self, other: Terms) -> bool:
        """Return whether both are billed alike."""
        return (self.attribution_id or None, self.workspace_class or DEFAULT_CLASS, self.quantity) == (
            other.attribution_id or None,
            other.workspace_class or DEFAULT_CLASS,
            other.quantity,
        )


@dataclass(frozen=True)
class Segment(Interval):
    """A stretch of an instance's runtime with one payer, workspace class and quantity; open while it runs."""

    terms: Terms


@dataclass(frozen=True)
class FaultyRun:
    """A run that has a stop but no runtime: its start is not known (None), or the stop lies before it."""

    start: datetime | None
    end: datetime
    terms: Terms


@dataclass(frozen=True)
class Folded:
    """What the facts say about an instance.

    `state`: the columns as the newest fact leaves them, with the times of the last run. `faulty`: the runs that give no
    segment because of their times. `is_plain`: the state alone gives the segments and the faulty runs. `last_sign`: the
    instant of the newest fact, and `last_source` its source. `differing`: instants of several facts that differ.
    `sources`: the names of those that reported.
    """

    state: Mapping[str, Value]
    segments: tuple[Segment, ...]
    faulty: tuple[FaultyRun, ...]
    is_plain: bool
    last_sign: datetime
    last_source: str
    differing: tuple[datetime, ...]
    sources: tuple[str, ...]


def fold(facts: Iterable[Fact]) -> Folded:
    """Fold the facts about one instance, of which there is at least one."""
    ordered = sorted(set(facts), key=lambda each: (each.at, each.has_stop, each.content, each.kind, each.source))
    walk = _Walk()
    differing = []
    for at, group in groupby(ordered, key=lambda each: each.at):
        of_instant = list(group)
        winners = _winners(of_instant)
        if len(winners) < len({(each.kind, each.content) for each in of_instant}):
            differing.append(at)
        for each in winners:
            walk.take(each)
    segments, faulty_before = walk.segments(), walk.faulty_before()
    return Folded(
        state=walk.state,
        segments=segments,
        faulty=(*faulty_before, *walk.run.faulty()),
        is_plain=not faulty_before and segments == plain_segments(walk.state),
        last_sign=ordered[-1].at,
        last_source=ordered[-1].source,
        differing=tuple(differing),
        sources=tuple(sorted({each.source for each in ordered} - {_KNOWN_BEFORE})),
    )


def terms_of(state: Mapping[str, Value]) -> Terms:
    """Return the terms in an instance's columns."""
    return Terms(
        cast("str | None", state.get("attribution_id")) or None,
        cast("str | None", state.get("workspace_class")) or None,
        cast("Decimal | None", state.get("quantity")) or _ONE,
    )


def plain_segments(state: Mapping[str, Value]) -> tuple[Segment, ...]:
    """Return the segments of an instance that runs once and never changes: one, or none without a runtime."""
    start = _instant(state, "started_time")
    end = _earlier(_instant(state, "stopping_time"), _instant(state, "stopped_time"))
    if start is None or (end is not None and end <= start):
        return ()
    return (Segment(start, end, terms_of(state)),)


def known_facts(state: Mapping[str, Value], earlier: Sequence[Segment | FaultyRun]) -> list[Fact]:
    """Return what was known about an instance, from rows without an update time, as facts.

    A row is at least as new as its latest time. `earlier`: its earlier runs.
    """
    facts = [_of_run(run) for run in earlier]
    times = [_instant(state, name) for name in ("creation_time", "started_time", "stopping_time", "stopped_time")]
    at = max((time for time in times if time is not None), default=_EVER)
    facts.append(fact(at, _KNOWN_BEFORE, FactKind.ROW, {name: state.get(name) for name in COLUMNS}))
    return facts


def _of_run(run: Segment | FaultyRun) -> Fact:
    assert run.end is not None
    times = {"started_time": run.start, "stopping_time": run.end, "stopped_time": None}
    at = run.end if run.start is None else max(run.start, run.end)
    return fact(at, _KNOWN_BEFORE, FactKind.ROW, {**run.terms._asdict(), **times})


def _winners(of_instant: Sequence[Fact]) -> list[Fact]:
    """Leave out facts of the kind and the columns of a later one of the instant: they lose against it."""
    if len(of_instant) == 1:
        return list(of_instant)
    last = {(each.kind, frozenset(each.values)): each for each in of_instant}
    return [each for each in of_instant if last[each.kind, frozenset(each.values)] is each]


@dataclass
class _Run:
    """A run from `start`, None while it is not known, to the earlier of its stops. `changes`: from when which terms."""

    start: datetime | None = None
    stopping: datetime | None = None
    stopped: datetime | None = None
    changes: list[tuple[datetime, Terms]] = field(default_factory=list)

    @property
    def end(self) -> datetime | None:
        return _earlier(self.stopping, self.stopped)

    def is_before(self, start: datetime) -> bool:
        return self.start < start if self.start is not None else self.end is not None and self.end <= start

    def move(self, start: datetime | None) -> None:
        """Take another start. What was said before it was known is not yet a change."""
        if self.start is None or start is None:
            self.changes.clear()
        self.start = start

    def note_terms(self, terms: Terms, at: datetime) -> None:
        if self.start is None or not self.changes:
            self.changes = [(_EVER, terms)]
        elif not self.changes[-1][1].same(terms):
            self.changes.append((at, terms))

    def faulty(self) -> list[FaultyRun]:
        end = self.end
        if end is None or (self.start is not None and self.start <= end):
            return []
        return [FaultyRun(self.start, end, self.changes[-1][1])]

    def segments(self) -> list[Segment]:
        if self.start is None:
            return []
        end = self.end
        bounds = [max(self.start, at) for at, _ in self.changes]
        found: list[Segment] = []
        for (start, until), (_, terms) in zip(pairwise([*bounds, None]), self.changes, strict=True):
            assert start is not None
            stop = _earlier(until, end)
            if stop is None or start < stop:
                found.append(Segment(start, stop, terms))
        return found


@dataclass
class _Walk:
    """Facts, taken in order: the runs so far, and the columns as the newest fact leaves them."""

    state: dict[str, Value] = field(default_factory=lambda: dict.fromkeys(COLUMNS))
    earlier: list[_Run] = field(default_factory=list)
    run: _Run = field(default_factory=_Run)

    def take(self, each: Fact) -> None:
        self.state.update({name: value for name, value in each.values.items() if name not in _RUN})
        match each.kind:
            case FactKind.ROW:
                self._take_times(each.values)
            case FactKind.STARTED if self.run.end is not None and each.at >= self.run.end:
                self._begin(_Run(each.at))
            case FactKind.STARTED if self.run.start is None:
                self._move(each.at)
            case FactKind.STOPPING | FactKind.STOPPED:
                self._stop(each)
        self.run.note_terms(terms_of(self.state), each.at)
        self.state["started_time"] = self.run.start
        self.state["stopping_time"], self.state["stopped_time"] = self.run.stopping, self.run.stopped

    def segments(self) -> tuple[Segment, ...]:
        runs = [*self.earlier, self.run]
        if self.state["creation_time"] is None:
            self.state["creation_time"] = min((run.start for run in runs if run.start is not None), default=None)
        return tuple(segment for run in runs for segment in _merged(run.segments()))

    def faulty_before(self) -> list[FaultyRun]:
        return [faulty for run in self.earlier for faulty in run.faulty()]

    def _take_times(self, times: Mapping[str, Value]) -> None:
        """Take the times of a row: they are those of another run if they follow the known stop, else the run's.

        A start follows if it is at or after the stop. While it is not known, another stop than the known one does.
        """
        run = self.run
        start, stopping, stopped = (_instant(times if name in times else self.state, name) for name in _RUN)
        end = run.end
        follows = _earlier(stopping, stopped) != end if start is None else end is not None and start >= end
        if end is not None and start != run.start and follows:
            self._begin(_Run(start, _instant(times, "stopping_time"), _instant(times, "stopped_time")))
        else:
            run.stopping, run.stopped = stopping, stopped
            self._move(start)

    def _begin(self, run: _Run) -> None:
        self.earlier.append(self.run)
        self.run = run
        self._make_room()

    def _move(self, start: datetime | None) -> None:
        self.run.move(start)
        self._make_room()

    def _make_room(self) -> None:
        """End the earlier runs at the start of the last one: an instance runs once at a time."""
        start = self.run.start
        if start is None:
            return
        self.earlier = [run for run in self.earlier if run.is_before(start)]
        for run in self.earlier:
            if run.end is not None and run.end > start:
                run.stopping = start

    def _stop(self, each: Fact) -> None:
        run = self.run
        if run.end is None or each.at < run.end:
            if each.kind is FactKind.STOPPING:
                run.stopping = each.at
            else:
                run.stopped = each.at
        elif each.kind is FactKind.STOPPED and run.stopped is None:
            run.stopped = each.at


def _merged(segments: Iterable[Segment]) -> list[Segment]:
    merged: list[Segment] = []
    for each in segments:
        last = merged[-1] if merged else None
        if last is not None and last.end == each.start and last.terms.same(each.terms):
            merged[-1] = Segment(last.start, each.end, last.terms)
        else:
            merged.append(each)
    return merged


def _instant(values: Mapping[str, Value], name: str) -> datetime | None:
    value = values.get(name)
    assert value is None or isinstance(value, datetime)
    return value


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)
