"""A server's socket: aiohttp's HTTP with hard limits, and answers that reveal nothing about the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from settings import SettingsError
from starter.handed_over import handed_over_socket
from starter.http.connections import Connections
from starter.http.rate_limited_log import SparingLog

_LINGER_SECONDS = 2.0  # for a client that is refused while still sending to read the answer
_SHUTDOWN_SECONDS = 10.0
_OTHER_FILES = 128  # Temporal's connection, logs, and connections accepted but not yet counted


@dataclass(frozen=True)
class HttpServer:
    """A server to run: its application, its connections, and time limits in seconds.

    `name`: by it the server's settings and log lines are named.
    """

    name: str
    application: web.Application
    connections: Connections
    body_seconds: float
    """The time limit for the body to arrive."""
    idle_seconds: float
    """A connection without a complete request is closed after this time."""
    cancels: bool = False
    """Whether what a client asks for is given up when it closes its connection."""


@asynccontextmanager
async def serving(served: HttpServer, host: str, port: int) -> AsyncIterator[int]:
    """Serve on the socket passed to the process, or else on this address. Yields the port.

    Raises:
        SettingsError: the port is in use, or this process cannot open enough files for its connections.
    """
    _allow_files(served.connections.limits.most + _OTHER_FILES, served.name)
    runner = web.AppRunner(
        served.application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        handler_cancellation=served.cancels,
    )
    await runner.setup()
    loop = asyncio.get_running_loop()
    sweep = loop.create_task(served.connections.sweep())
    try:
        factory = served.connections.around(_http(served, runner))
        try:
            if (handed_over := handed_over_socket()) is not None:
                server = await loop.create_server(factory, sock=handed_over, backlog=128)
            else:
                server = await loop.create_server(factory, host, port, backlog=128, reuse_address=True)
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host}:{port} ({error.strerror}): set {served.name.upper()}_PORT"
            ) from error
        yield int(server.sockets[0].getsockname()[1])
        server.close()
    finally:
        await runner.cleanup()
        sweep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweep


def _http(served: HttpServer, runner: web.AppRunner) -> Any:
    """Return the factory of aiohttp's protocol for this application."""
    logger = logging.getLogger(f"perdure.{served.name}.http")
    arguments: dict[str, Any] = {
        # Nobody who sends to us compresses. Without decompression there is no decompression bomb.
        "auto_decompress": False,
        "keepalive_timeout": served.idle_seconds,
        "lingering_time": min(_LINGER_SECONDS, served.body_seconds),
        "logger": logger,
        "access_log": None,
    }
    manager = runner.server
    assert manager is not None
    loop = asyncio.get_running_loop()
    sparing = SparingLog(logger)
    return lambda: _Handler(sparing, manager, loop=loop, **arguments)


class _Handler(web.RequestHandler):
    """Replaces aiohttp's answer to malformed HTTP, which quotes the request, names its version and logs a traceback."""

    __slots__ = ("_sparing",)

    def __init__(self, sparing: SparingLog, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._sparing = sparing

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer malformed HTTP with 400, and an error of our own with 500. The latter is logged in full."""
        if status >= 500 or not isinstance(exc, HttpProcessingError):
            super().handle_error(request, status, exc, message)  # logs it
            text = "internal error\n"
        else:
            self._sparing.info("malformed HTTP: %s", type(exc).__name__)
            text = "bad request\n"
        answer = web.Response(status=status, text=text, headers={"Server": "perdure"})
        answer.force_close()
        return answer


async def hide_server(_request: web.Request, response: web.StreamResponse) -> None:
    """Hide the server's software and versions, as a signal of an application."""
    response.headers["Server"] = "perdure"


def _allow_files(wanted: int, name: str) -> None:
    """Raise the limit of open files, if needed: at the limit, the server could accept no connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        setting = f"{name.upper()}_CONNECTIONS"
        raise SettingsError(f"{setting} needs {wanted} open files, but only {hard} are allowed: lower it")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
