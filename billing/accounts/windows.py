"""Subscription windows `[start, end)`: how one takes its place among the others of its account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.usage.interval import Interval


@dataclass(frozen=True)
class Window(Interval):
    """When an account may be charged. `name` says whose it is: a subscription's id, if any."""

    name: str | None = None


@dataclass(frozen=True)
class Clash:
    """Two windows would be open at once, or one would have to be in two pieces. `other` is in the way."""

    other: Window


def place(window: Window, others: Sequence[Window]) -> Window | Clash | None:
    """What is left of a window beside the others of its account, which never overlap each other.

    Two subscriptions of one account may have run at once for a while; what both cover is covered once, by the
    window that is there. None when nothing is left.
    """
    start, end = window.start, window.end
    for other in sorted(others, key=lambda each: each.start):
        if (end is not None and end <= other.start) or (other.end is not None and other.end <= start):
            continue
        if other.start <= start:
            if other.end is None:
                return None if end is not None else Clash(other)
            start = other.end
        elif end is not None and (other.end is None or end <= other.end):
            end = other.start
        else:
            return Clash(other)
        if end is not None and end <= start:
            return None
    return Window(start, end, window.name)
