"""Whether Temporal can be reached. Requests at about the same time share one question to Temporal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

_TIMEOUT = timedelta(seconds=3)
_FRESH_SECONDS = 0.5


class Readiness:
    """Whether Temporal is ready. Anyone can ask, so a flood of requests becomes one question to Temporal."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._known = (float("-inf"), False)

    async def now(self) -> bool:
        """Whether Temporal can be reached, or could at most half a second ago."""
        async with self._lock:
            asked, ready = self._known
            if time.monotonic() - asked > _FRESH_SECONDS:
                ready = await self._ask()
                self._known = (time.monotonic(), ready)
            return ready


async def reaches(client: Client) -> bool:
    """Whether Temporal answers within seconds."""
    try:
        return await client.service_client.check_health(timeout=_TIMEOUT)
    except (RPCError, RuntimeError):
        return False
