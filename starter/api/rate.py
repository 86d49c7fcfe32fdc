"""How many events each token can send in a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class RateLimit:
    """A token bucket for each sender: it fills by `per_second`, up to one second's or one request's most."""

    def __init__(
        self, per_second: float | None, most_at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """With `per_second` None, nothing is limited."""
        self._per_second = per_second
        self._capacity = max(per_second or 0.0, float(most_at_once))
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}  # by sender: the level, and when it was that

    def take(self, sender: str, count: int) -> int:
        """Take this many events of the sender. Returns 0, or the seconds to wait if there are too many."""
        if self._per_second is None:
            return 0
        now = self._clock()
        level, at = self._levels.get(sender, (self._capacity, now))
        level = min(self._capacity, level + (now - at) * self._per_second)
        if count <= level:
            self._levels[sender] = (level - count, now)
            return 0
        self._levels[sender] = (level, now)
        return max(1, math.ceil((count - level) / self._per_second))
