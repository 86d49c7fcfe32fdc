"""Subscription windows `[started, ended)`: how one takes its place among the others of its account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Window:
    """When an account may be charged; no `ended` is open. `name` says whose it is: a subscription's id, if any."""

    started: datetime
    ended: datetime | None
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
    started, ended = window.started, window.ended
    for other in sorted(others, key=lambda each: each.started):
        if (ended is not None and ended <= other.started) or (other.ended is not None and other.ended <= started):
            continue
        if other.started <= started:
            if other.ended is None:
                return None if ended is not None else Clash(other)
            started = other.ended
        elif ended is not None and (other.ended is None or ended <= other.ended):
            ended = other.started
        else:
            return Clash(other)
        if ended is not None and ended <= started:
            return None
    return Window(started, ended, window.name)
