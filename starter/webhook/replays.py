"""Deliveries that were taken, for as long as their signatures are good: the same bytes again are a replay.

Stripe signs each attempt anew, so that only a recording is ever byte for byte the same. It would do no
harm (an event is a wake-up), but let whoever has recorded one delivery wake its workflow at full speed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from starter.webhook.signature import TOLERANCE_SECONDS

MOST = 50_000
"""Remembered at most, in about 10 MiB, the oldest is forgotten first: ten minutes of 80 deliveries a second."""


class Replays:
    """What was taken lately, by its digest (`verify_signature`)."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._most = most
        self._clock = clock

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, digest: bytes) -> bool:
        self._forget()
        return digest in self._until

    def remember(self, digest: bytes) -> None:
        """It was taken. Never before that: if it is not, Stripe's next attempt must find it unknown."""
        self._forget()
        # Signed up to a tolerance ahead, it stays good for two.
        self._until[digest] = self._clock() + 2 * TOLERANCE_SECONDS + 1
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def _forget(self) -> None:
        now = self._clock()
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
