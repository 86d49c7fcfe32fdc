"""Whether Temporal can be reached, asked once for all who ask at about the same time."""

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
    """Anybody who reaches the page may ask, so that a flood of questions is one question to Temporal."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._known = (float("-inf"), False)

    async def now(self) -> bool:
        """Whether it can be reached, or could half a second ago."""
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
