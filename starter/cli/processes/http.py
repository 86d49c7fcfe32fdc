"""How the processes that answer HTTP come up and go down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from settings import SettingsError
from starter.handed_over import handed_over_socket

_LINGER_SECONDS = 10


@asynccontextmanager
async def serve_http(application: web.Application, host: str, port: int, setting: str) -> AsyncIterator[None]:
    """Serve within the block, on the socket that the process was handed, else on this address.

    At the block's end requests under way may finish. Requests are not logged.

    Raises:
        SettingsError: the address cannot be listened on; `setting` names what to change.
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
