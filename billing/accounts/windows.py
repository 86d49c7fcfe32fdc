"""Subscription windows `[start, end)`: their kinds, and how a window fits in among the others of its account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.usage.interval import Interval


class WindowKind(StrEnum):
    """What a window is to its account. Usage in a kind that is not charged is excluded, for that reason."""

    PAID = "paid"
    """It is always charged."""
    TRIAL = "trial"
    """Stripe's trial of a subscription."""
    COLLECTION_PAUSED = "collection_paused"
    """Collection was paused in Stripe, and its service is free."""


PAID_ALONE = frozenset({WindowKind.PAID})
"""The kinds that are charged unless a setting or an account's policy says otherwise."""


@dataclass(frozen=True)
class Window(Interval):
    """When an account can be charged. `name` is the id of the window's subscription, if any."""

    name: str | None = None


@dataclass(frozen=True)
class Clash:
    """Two windows would be open at the same time, or one would have to be split. `other` is in the way."""

    other: Window


def place(window: Window, others: Sequence[Window]) -> Window | Clash | None:
    """Return the part of a window that the others of its account, which never overlap each other, leave uncovered.

    Two subscriptions of one account may have overlapped for a while; the window that exists covers their common time.
    Returns None if nothing is left.
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
