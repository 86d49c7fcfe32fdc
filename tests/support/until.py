"""Wait for a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
GIVE_UP_SECONDS = 120.0
"""After this time an awaited fact will never occur: far longer than it takes on a busy machine."""
PATIENCE: ContextVar[float] = ContextVar("patience", default=1.0)
"""A factor for all waits, above 1 where workers are killed meanwhile."""


async def until(check: Callable[[], Awaitable[T | None]], seconds: float = GIVE_UP_SECONDS) -> T:
    """Return the first truthy result of `check`.

    Raises:
        AssertionError: no result in time.
    """
    end = asyncio.get_running_loop().time() + seconds * PATIENCE.get()
    while True:
        if found := await check():
            return found
        if asyncio.get_running_loop().time() > end:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.05)
