"""Start and stop the processes that serve HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from settings import SettingsError
from starter.handed_over import handed_over_socket

_LINGER_SECONDS = 10


@asynccontextmanager
async def serve_http(application: web.Application, host: str, port: int, setting: str) -> AsyncIterator[None]:
    """Serve within the block, on the socket that the process was given, or else on this address.

    When the block ends, requests in progress have up to 10 seconds to finish. Requests are not logged.

    Raises:
        SettingsError: the process cannot listen on the address; the message names `setting` as what to change.
    """
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_LINGER_SECONDS)
    await runner.setup()
    try:
        try:
            handed_over = handed_over_socket()
            site = web.TCPSite(runner, host, port) if handed_over is None else web.SockSite(runner, handed_over)
            await site.start()
        except OSError as error:
            raise SettingsError(f"cannot listen on {host}:{port} ({error.strerror}): set {setting}") from error
        yield
    finally:
        await runner.cleanup()
