"""Connection limits of a server that faces the internet: how many connections, and how long each can stall it.

aiohttp limits the size of a request (line, headers, body, pipelined requests) and closes idle connections. It limits
neither the number of connections nor the time of a request whose head trickles in or whose answer is not read. This
module does, with public interfaces only: an asyncio protocol around aiohttp's own passes everything on, and a sweep
ends the connections that take too long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class ConnectionLimits:
    """The maximum number of connections, and the maximum time of each, in seconds."""

    most: int = 200
    """The maximum number at the same time. Each holds at most half a MiB of body; 200 hold about 150 MiB together."""
    head_seconds: float = 10.0
    """The time limit for a request's head, from its first byte, and for a new connection's first byte."""
    request_seconds: float = 30.0
    """The time limit for answering a request, from its first byte, and for the client to read the answer."""


class Connections:
    """All connections of one server. If there are too many, the longest-stalled one is ended."""

    def __init__(self, limits: ConnectionLimits, registry: CollectorRegistry, server: str) -> None:
        """`server` names its metrics: `webhook` or `api`."""
        self.limits = limits
        self._open: dict[int, _Connection] = {}  # by identity of the transport, oldest first
        gauge = Gauge(f"perdure_{server}_connections", "Open connections", registry=registry)
        gauge.set_function(lambda: len(self._open))
        self._ended = Counter(
            f"perdure_{server}_connections_ended",
            "Ended connections: late (head, body or answer took too long), crowded (there were too many)",
            ["why"],
            registry=registry,
        )
        for why in ("late", "crowded"):
            self._ended.labels(why)

    def around(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a protocol factory for `create_server`, around aiohttp's own."""
        return lambda: _Connection(self, factory())

    def trust(self, request: web.Request) -> None:
        """Mark the request's connection as trusted, because the request is authentic: it is not ended to make room."""
        if (connection := self._open.get(id(request.transport))) is not None:
            connection.trusted = True

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record when a request's head is complete and when it is answered."""
        connection = self._open.get(id(request.transport))
        if connection is None:
            return await handler(request)
        connection.serving = True
        try:
            return await handler(request)
        finally:
            connection.serving = connection.trusted = False
            connection.waited_since, connection.heard = time.monotonic(), False

    async def sweep(self) -> None:
        """End the connections that take too long. Never returns."""
        pause = min(1.0, self.limits.head_seconds / 4, self.limits.request_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = time.monotonic()
            for connection in list(self._open.values()):
                if connection.is_late(now, self.limits):
                    self._end(connection, "late")

    def enter(self, connection: _Connection) -> bool:
        """Add the connection, making room if needed. Returns False if there is no room: all others are trusted."""
        if len(self._open) >= self.limits.most:
            longest = min((c for c in self._open.values() if not c.trusted), key=_waited_since, default=None)
            if longest is None:
                self._ended.labels("crowded").inc()
                return False
            self._end(longest, "crowded")
        self._open[id(connection.transport)] = connection
        return True

    def leave(self, connection: _Connection) -> None:
        """Remove the connection. Idempotent."""
        self._open.pop(id(connection.transport), None)

    def _end(self, connection: _Connection, why: str) -> None:
        self.leave(connection)
        self._ended.labels(why).inc()
        connection.transport.abort()


class _Connection(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's protocol, and knows since when the server has waited for it."""

    transport: asyncio.Transport

    def __init__(self, all_of_them: Connections, inner: asyncio.Protocol) -> None:
        self._all = all_of_them
        self._inner = inner
        self._refused = False
        self.waited_since = time.monotonic()
        self._unsent_since: float | None = None
        self._requests = False
        self.heard = False
        self.serving = False
        self.trusted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not self._all.enter(self):
            self._refused = True
            transport.abort()
            return
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if not self.heard:
            self.waited_since, self.heard, self._requests = time.monotonic(), True, True
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._refused else self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leave(self)
        if not self._refused:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def is_late(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether the server has waited too long for a request, or for the client to read its answer."""
        if self.transport.get_write_buffer_size() == 0:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        if self._unsent_since is not None and now - self._unsent_since > limits.request_seconds:
            return True
        if self.serving:
            return now - self.waited_since > limits.request_seconds
        # Between two requests the connection can idle until aiohttp closes it.
        return (self.heard or not self._requests) and now - self.waited_since > limits.head_seconds


def _waited_since(connection: _Connection) -> float:
    return connection.waited_since
