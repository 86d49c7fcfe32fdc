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
class Folded:
    """What the facts say about an instance.

    `state`: the columns as the newest fact leaves them, with the times of the last run. `is_plain`: the state alone
    gives the segments. `last_sign`: the instant of the newest fact. `differing`: instants of several facts that differ.
    `sources`: the names of those that reported.
    """

    state: Mapping[str, Value]
    segments: tuple[Segment, ...]
    is_plain: bool
    last_sign: datetime
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
    segments = walk.segments()
    return Folded(
        state=walk.state,
        segments=segments,
        is_plain=segments == plain_segments(walk.state),
        last_sign=ordered[-1].at,
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


def known_facts(state: Mapping[str, Value], earlier: Sequence[Segment]) -> list[Fact]:
    """Return what was known about an instance, from rows without an update time, as facts.

    A row is at least as new as its latest time. `earlier`: the segments of its earlier runs.
    """
    facts = [_of_run(segment) for segment in earlier if segment.end is not None]
    times = [_instant(state, name) for name in ("creation_time", "started_time", "stopping_time", "stopped_time")]
    at = max((time for time in times if time is not None), default=_EVER)
    facts.append(fact(at, _KNOWN_BEFORE, FactKind.ROW, {name: state.get(name) for name in COLUMNS}))
    return facts


def _of_run(segment: Segment) -> Fact:
    assert segment.end is not None
    times = {"started_time": segment.start, "stopping_time": segment.end, "stopped_time": None}
    return fact(segment.end, _KNOWN_BEFORE, FactKind.ROW, {**segment.terms._asdict(), **times})


def _winners(of_instant: Sequence[Fact]) -> list[Fact]:
    """Leave out facts of the kind and the columns of a later one of the instant: they lose against it."""
    if len(of_instant) == 1:
        return list(of_instant)
    last = {(each.kind, frozenset(each.values)): each for each in of_instant}
    return [each for each in of_instant if last[each.kind, frozenset(each.values)] is each]


@dataclass
class _Run:
    """A run from `start` to the earlier of its stops. `changes`: from when which terms apply."""

    start: datetime
    stopping: datetime | None
    stopped: datetime | None
    changes: list[tuple[datetime, Terms]] = field(default_factory=list)

    @property
    def end(self) -> datetime | None:
        return _earlier(self.stopping, self.stopped)

    def segments(self) -> list[Segment]:
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
    run: _Run | None = None

    def take(self, each: Fact) -> None:
        self.state.update({name: value for name, value in each.values.items() if name not in _RUN})
        match each.kind:
            case FactKind.ROW:
                self._take_times(each.values)
            case FactKind.STARTED if self.run is None or (self.run.end is not None and each.at >= self.run.end):
                self._begin(each.at, None, None)
            case FactKind.STOPPING | FactKind.STOPPED if self.run is not None:
                self._stop(self.run, each)
        if self.run is not None:
            self._note_terms(self.run, each.at)
            self.state["started_time"] = self.run.start
            self.state["stopping_time"], self.state["stopped_time"] = self.run.stopping, self.run.stopped

    def segments(self) -> tuple[Segment, ...]:
        runs = [*self.earlier, *([self.run] if self.run else [])]
        if self.state["creation_time"] is None:
            self.state["creation_time"] = min((run.start for run in runs), default=None)
        return tuple(segment for run in runs for segment in _merged(run.segments()))

    def _take_times(self, times: Mapping[str, Value]) -> None:
        """Take the times of a row: a start at or after the known stop begins a new run, else the run has moved."""
        run = self.run
        known = None if run is None else run.start
        start = _instant(times, "started_time") if "started_time" in times else known
        stopping, stopped = _instant(times, "stopping_time"), _instant(times, "stopped_time")
        if start is None:
            self.run = None
            self.state.update({name: value for name, value in times.items() if name in _RUN})
        elif run is None or (run.end is not None and start >= run.end and start != run.start):
            self._begin(start, stopping, stopped)
        else:
            run.start = start
            run.stopping = stopping if "stopping_time" in times else run.stopping
            run.stopped = stopped if "stopped_time" in times else run.stopped
            self._make_room(start)

    def _begin(self, start: datetime, stopping: datetime | None, stopped: datetime | None) -> None:
        if self.run is not None:
            self.earlier.append(self.run)
        self.run = _Run(start, stopping, stopped)
        self._make_room(start)

    def _make_room(self, start: datetime) -> None:
        """End the earlier runs at the start of the last one: an instance runs once at a time."""
        self.earlier = [run for run in self.earlier if run.start < start]
        for run in self.earlier:
            if run.end is not None and run.end > start:
                run.stopping = start

    def _stop(self, run: _Run, each: Fact) -> None:
        if run.end is None or each.at < run.end:
            if each.kind is FactKind.STOPPING:
                run.stopping = each.at
            else:
                run.stopped = each.at
        elif each.kind is FactKind.STOPPED and run.stopped is None:
            run.stopped = each.at

    def _note_terms(self, run: _Run, at: datetime) -> None:
        terms = terms_of(self.state)
        if not run.changes:
            run.changes.append((_EVER, terms))
        elif not run.changes[-1][1].same(terms):
            run.changes.append((at, terms))


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
