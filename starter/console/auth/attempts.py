"""How often sign-ins may fail: of one address, and of all together. Beyond that, nothing asks the database."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

MOST_OF_ONE = 10
MOST_OF_ALL = 100
SECONDS = 60.0


class FailedSignIns:
    """Counts failed sign-ins of the current minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._of: Counter[str] = Counter()

    def add(self, address: str) -> None:
        """Count a failure."""
        self._forget_after_a_minute()
        self._of[address] += 1

    def too_many(self, address: str) -> bool:
        """Whether no further sign-in is tried now."""
        self._forget_after_a_minute()
        return self._of[address] >= MOST_OF_ONE or self._of.total() >= MOST_OF_ALL

    def _forget_after_a_minute(self) -> None:
        if self._clock() - self._since >= SECONDS:
            self._since = self._clock()
            self._of.clear()
