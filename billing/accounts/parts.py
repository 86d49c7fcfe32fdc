"""Parts of a window: the stretches of a subscription's time that are of another kind than paid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from billing.accounts.windows import Window, WindowKind
from billing.usage.interval import Interval


@dataclass(frozen=True)
class Stretch(Interval):
    """A stretch of time of one kind."""

    kind: WindowKind = WindowKind.PAID


def cut(window: Interval, stretches: Sequence[Stretch]) -> list[Stretch]:
    """Cut a window into parts, in order: each stretch where it lies within the window, the rest paid.

    Where stretches overlap, the first of them counts.
    """
    edges = {window.start} | {
        edge for each in stretches for edge in (each.start, each.end) if edge is not None and _within(window, edge)
    }
    parts: list[Stretch] = []
    for start, end in pairwise([*sorted(edges), window.end]):
        assert start is not None
        kind = next((each.kind for each in stretches if _within(each, start)), WindowKind.PAID)
        if parts and parts[-1].kind is kind:
            parts[-1] = Stretch(parts[-1].start, end, kind)
        else:
            parts.append(Stretch(start, end, kind))
    return parts


def joined(windows: Iterable[Window]) -> list[Window]:
    """Join the windows of one name, in order of time, where one begins as the other ends."""
    whole: list[Window] = []
    for window in windows:
        if whole and whole[-1].end == window.start:
            whole[-1] = Window(whole[-1].start, window.end, window.name)
        else:
            whole.append(window)
    return whole


def _within(interval: Interval, at: datetime) -> bool:
    return interval.start <= at and (interval.end is None or at < interval.end)
