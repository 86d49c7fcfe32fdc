"""Live parts of pages: the server renders a part again and again, and sends it when it has changed.

A stream is a request whose answer goes on (server-sent events). It ends after a minute, and the browser asks again by
itself: so a session that has ended, a console that stops and a proxy that closes long answers need nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from temporalio.service import RPCError

from billing.errors import PerdureError

logger = logging.getLogger("perdure.console")

SECONDS = 60.0
"""How long a stream lasts."""
EVERY_SECONDS = 2.0
"""How often the part is rendered."""
MOST = 50
"""How many streams there are at the same time. Who comes later has a page that stands still."""
_RECONNECT_MS = 1000
_HEARTBEAT = b": alive\n\n"


class LiveStreams:
    """The streams of a console: how many there are, and whether it stops."""

    def __init__(self) -> None:
        self.open = 0
        self.stopping = asyncio.Event()

    async def stop(self, _app: web.Application) -> None:
        """End all streams, as a signal of an application that shuts down."""
        self.stopping.set()


STREAMS = web.AppKey("streams", LiveStreams)

Render = Callable[[], Awaitable[tuple[str, bool]]]
"""Renders the part. Returns its HTML, and whether it can still change."""


async def stream(request: web.Request, render: Render, *, every: float = EVERY_SECONDS) -> web.StreamResponse:
    """Answer with a part of a page, again whenever it has changed, until it cannot change any more.

    Args:
        request: of a page's script: `<div data-live="ADDRESS">`.
        render: what to send. An error of the first time is an answer of its own, after which our script asks again
            later; another ends the stream, and the browser asks again by itself.
        every: seconds between two renderings.
    """
    streams = request.app[STREAMS]
    if streams.open >= MOST:
        return web.Response(status=204)  # by which the browser knows that it should not ask again
    streams.open += 1
    try:
        first = await render()  # before anything is sent: its error is a page of its own
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await answer.prepare(request)
        await answer.write(f"retry: {_RECONNECT_MS}\n\n".encode())
        try:
            await _send(answer, first, render, streams.stopping, every)
        except (PerdureError, RPCError, ConnectionError) as error:
            logger.info("a live part ends: %s: %s", request.path, type(error).__name__)
        return answer
    finally:
        streams.open -= 1


async def _send(
    answer: web.StreamResponse, first: tuple[str, bool], render: Render, stopping: asyncio.Event, every: float
) -> None:
    ends, sent = time.monotonic() + SECONDS, ""
    part, goes_on = first
    while True:
        await answer.write(_event("part", part) if part != sent else _HEARTBEAT)
        sent = part
        if not goes_on:
            await answer.write(_event("end", ""))
        if not goes_on or stopping.is_set() or time.monotonic() >= ends:
            return
        try:
            await asyncio.wait_for(stopping.wait(), every)
        except TimeoutError:
            part, goes_on = await render()


def _event(name: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()
