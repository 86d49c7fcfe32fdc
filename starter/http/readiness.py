"""Whether what a server needs can be reached. Requests at about the same time share one question to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_FRESH_SECONDS = 0.5


class Readiness:
    """Whether a server is ready. Anyone can ask, so a flood of requests becomes one question to what it needs."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._known = (float("-inf"), False)

    async def now(self) -> bool:
        """Whether the server is ready, or was at most half a second ago."""
        async with self._lock:
            asked, ready = self._known
            if time.monotonic() - asked > _FRESH_SECONDS:
                ready = await self._ask()
                self._known = (time.monotonic(), ready)
            return ready
