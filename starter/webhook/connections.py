"""Connections of a server that stands on the internet: how many there are, and how long each may keep it waiting.

aiohttp bounds what one request may hold (line, headers, body, pipelined requests) and closes idle connections; it
bounds neither the number of connections nor the time of a request whose head trickles in or whose answer is
not read. This does, around aiohttp's protocol and by public interfaces alone: an asyncio protocol that
passes everything on, and a sweep that ends what has taken too long.
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
    """How many connections there may be, and how long, in seconds, each may take."""

    most: int = 200
    """At once. One holds half a MiB of body at most; so many together about 150 MiB."""
    head_seconds: float = 10.0
    """Within this time of its start the head of a request must have arrived, or its first byte of the connection."""
    request_seconds: float = 30.0
    """Within this time of its first byte a request must be answered, and its answer taken."""


class Connections:
    """All connections of one server. When there are too many, whoever has made the server wait longest has to go."""

    def __init__(self, limits: ConnectionLimits, registry: CollectorRegistry) -> None:
        self.limits = limits
        self._open: dict[int, _Connection] = {}  # by the identity of the transport, in the order of their coming
        gauge = Gauge("perdure_webhook_connections", "Connections that are open", registry=registry)
        gauge.set_function(lambda: len(self._open))
        self._ended = Counter(
            "perdure_webhook_connections_ended",
            "Connections that were ended: late (head, body or answer took too long), crowded (there were too many)",
            ["why"],
            registry=registry,
        )
        for why in ("late", "crowded"):
            self._ended.labels(why)

    def around(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """The protocol factory for `create_server`, around aiohttp's own."""
        return lambda: _Connection(self, factory())

    def trust(self, request: web.Request) -> None:
        """The request that is served is signed: its connection is not ended to make room for others."""
        if (connection := self._open.get(id(request.transport))) is not None:
            connection.trusted = True

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Notes when a request's head is complete and when it is answered."""
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
        """End what takes too long, for ever."""
        pause = min(1.0, self.limits.head_seconds / 4, self.limits.request_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = time.monotonic()
            for connection in list(self._open.values()):
                if connection.is_late(now, self.limits):
                    self._end(connection, "late")

    def enter(self, connection: _Connection) -> bool:
        """Count the connection in, making room if need be; false when there is none: all others are being served."""
        if len(self._open) >= self.limits.most:
            longest = min((c for c in self._open.values() if not c.trusted), key=_waited_since, default=None)
            if longest is None:
                self._ended.labels("crowded").inc()
                return False
            self._end(longest, "crowded")
        self._open[id(connection.transport)] = connection
        return True

    def leave(self, connection: _Connection) -> None:
        """Count the connection out; it may have been before."""
        self._open.pop(id(connection.transport), None)

    def _end(self, connection: _Connection, why: str) -> None:
        self.leave(connection)
        self._ended.labels(why).inc()
        connection.transport.abort()


class _Connection(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's protocol, and knows since when the server waits for it."""

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
        """Whether the server has waited too long for a request, or for its answer to be taken."""
        if self.transport.get_write_buffer_size() == 0:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        if self._unsent_since is not None and now - self._unsent_since > limits.request_seconds:
            return True
        if self.serving:
            return now - self.waited_since > limits.request_seconds
        # Between two requests it may rest until aiohttp closes it.
        return (self.heard or not self._requests) and now - self.waited_since > limits.head_seconds


def _waited_since(connection: _Connection) -> float:
    return connection.waited_since
