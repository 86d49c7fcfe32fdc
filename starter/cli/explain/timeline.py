"""Intervals as a small timeline of characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from starter.cli.output import when
from starter.words.fates import FATES
from storage.usage.explain import ExplainedInterval

_MARKS = {
    "billed": "█",
    "open": "▓",
    "written_off": "▒",
    "unbilled": "o",
    "stale": "?",
    "uncovered": "-",
    "trial": "~",
    "collection_paused": "=",
    "before_bill_after": "<",
    "before_first_rate": "_",
    "invalid": "x",
}
_WIDTH = 30  # with an instant on both sides, as wide as a terminal


def timeline(intervals: Sequence[ExplainedInterval], width: int = _WIDTH) -> list[str]:
    """Draw consecutive intervals to scale, with a legend of the fates that occur. Returns [] if there are none.

    A fate too short to be visible still gets one mark.
    """
    if not intervals:
        return []
    since, until = intervals[0].start, intervals[-1].end
    span = (until - since) / timedelta(microseconds=1)
    if not span:
        return []
    cells = [max(shares, key=lambda fate: shares[fate]) for shares in _shares(intervals, since, span, width)]
    for interval in intervals:
        if interval.fate not in cells:
            cells[min(width - 1, int((interval.start - since) / timedelta(microseconds=1) / span * width))] = (
                interval.fate
            )
    seen = dict.fromkeys(interval.fate for interval in intervals)
    legend = ", ".join(f"{_MARKS[fate]} {fate.replace('_', ' ')}" for fate in FATES if fate in seen)
    bar = "".join(_MARKS[fate] for fate in cells)
    return [f"{when(since)} |{bar}| {when(until)}", f"{'':{len(when(since))}}  {legend}"]


def _shares(intervals: Iterable[ExplainedInterval], since: datetime, span: float, width: int) -> list[dict[str, float]]:
    """Return the share of each cell that each fate takes up."""
    shares: list[dict[str, float]] = [{} for _ in range(width)]
    for interval in intervals:
        first = (interval.start - since) / timedelta(microseconds=1) / span * width
        last = (interval.end - since) / timedelta(microseconds=1) / span * width
        for cell in range(int(first), min(width, int(last) + 1)):
            share = min(last, cell + 1) - max(first, cell)
            shares[cell][interval.fate] = shares[cell].get(interval.fate, 0.0) + share
    return shares
