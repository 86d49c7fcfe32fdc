"""Accepted deliveries, for as long as their signatures are valid: the same bytes again are a replay.

Stripe signs each attempt separately, so only a recording is ever byte for byte the same. A replay does no harm (an
event is a wake-up), but anyone with one recorded delivery could use it to wake its workflow at full speed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from starter.webhook.signature import TOLERANCE_SECONDS

MOST = 50_000
"""How many are remembered, in about 10 MiB; the oldest are forgotten first. Ten minutes of 80 deliveries a second."""


class Replays:
    """Recently accepted deliveries, by digest (`verify_signature`)."""

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
        """Remember an accepted delivery, never a refused one: Stripe's next attempt must not look like a replay."""
        self._forget()
        # A signature dated one tolerance in the future is valid for two.
        self._until[digest] = self._clock() + 2 * TOLERANCE_SECONDS + 1
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def _forget(self) -> None:
        now = self._clock()
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
