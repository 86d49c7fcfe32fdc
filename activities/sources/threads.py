"""Readers block, so they run in threads; what waits for them can be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def _nothing() -> None:
    return None


async def in_thread(step: Callable[[], T], cancel: Callable[[], None] = _nothing) -> T:
    """Do a blocking step in a thread. If the caller is cancelled, `cancel` ends the step, and its end is awaited."""
    running = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.to_thread(cancel)
        await asyncio.gather(running, return_exceptions=True)
        raise


@asynccontextmanager
async def opened(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave a blocking context in threads."""
    stack = ExitStack()
    try:
        yield await in_thread(partial(stack.enter_context, context))
    finally:
        await in_thread(stack.close)


async def read_ahead(pages: Iterator[T], cancel: Callable[[], None]) -> AsyncGenerator[T]:
    """Yield the pages, each read while the caller stores the one before: two are held at once."""
    following = _next(pages, cancel)
    try:
        while (page := await following) is not None:
            following = _next(pages, cancel)
            yield page
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _next(pages: Iterator[T], cancel: Callable[[], None]) -> asyncio.Task[T | None]:
    return asyncio.ensure_future(in_thread(partial(next, pages, None), cancel))
