"""The webhook's socket: aiohttp's HTTP with hard limits, and answers that tell nothing about what serves them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from settings import SettingsError
from starter.handed_over import handed_over_socket
from starter.webhook.handler import Webhook
from starter.webhook.rate_limited_log import SparingLog

_LINGER_SECONDS = 2.0  # for a client that is refused while it still sends, to read the answer
_SHUTDOWN_SECONDS = 10.0
_OTHER_FILES = 128  # Temporal's connection, logs; and what was accepted and not yet counted

_log = SparingLog(logging.getLogger("perdure.webhook.http"))


@asynccontextmanager
async def serving(webhook: Webhook, host: str, port: int) -> AsyncIterator[int]:
    """The webhook, listening on the socket that it was handed, else on this address; gives its port.

    Raises:
        SettingsError: the port is taken, or this process may not open as many files as connections are allowed.
    """
    _allow_files(webhook.connections.limits.most + _OTHER_FILES)
    runner = web.AppRunner(
        webhook.application(), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    loop = asyncio.get_running_loop()
    sweep = loop.create_task(webhook.connections.sweep())
    try:
        factory = webhook.connections.around(_http(webhook, runner))
        try:
            if (handed_over := handed_over_socket()) is not None:
                server = await loop.create_server(factory, sock=handed_over, backlog=128)
            else:
                server = await loop.create_server(factory, host, port, backlog=128, reuse_address=True)
        except OSError as error:
            raise SettingsError(f"cannot listen on {host}:{port} ({error.strerror}): set WEBHOOK_PORT") from error
        yield int(server.sockets[0].getsockname()[1])
        server.close()
    finally:
        await runner.cleanup()
        sweep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweep


def _http(webhook: Webhook, runner: web.AppRunner) -> Any:
    """The factory of aiohttp's protocol for this application."""
    limits = webhook.limits
    arguments: dict[str, Any] = {
        # Stripe signs the raw body and never compresses it: what is not decompressed cannot blow up.
        "auto_decompress": False,
        "keepalive_timeout": limits.idle_seconds,
        "lingering_time": min(_LINGER_SECONDS, limits.body_seconds),
        "logger": logging.getLogger("perdure.webhook.http"),
        "access_log": None,
    }
    manager = runner.server
    assert manager is not None
    loop = asyncio.get_running_loop()
    return lambda: _Handler(manager, loop=loop, **arguments)


class _Handler(web.RequestHandler):
    """aiohttp's own answer to what is no HTTP repeats what was sent, names its version, and logs a traceback."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP (400), and to a fault of our own (500), which is logged in full."""
        if status >= 500 or not isinstance(exc, HttpProcessingError):
            super().handle_error(request, status, exc, message)  # logs it
            text = "internal error\n"
        else:
            _log.info("no HTTP: %s", type(exc).__name__)
            text = "bad request\n"
        answer = web.Response(status=status, text=text, headers={"Server": "perdure"})
        answer.force_close()
        return answer


def _allow_files(wanted: int) -> None:
    """Let this process open as many files: at the limit, nothing could be accepted any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SettingsError(f"WEBHOOK_CONNECTIONS needs {wanted} open files and {hard} are allowed: lower it")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
