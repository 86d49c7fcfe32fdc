"""How the processes that answer HTTP come up and go down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from settings import SettingsError

if TYPE_CHECKING:
    from aiohttp import web

_LINGER_SECONDS = 10


@asynccontextmanager
async def serve_http(application: web.Application, host: str, port: int, setting: str) -> AsyncIterator[None]:
    """Serve within the block; at its end requests under way may finish. Requests are not logged.

    Raises:
        SettingsError: the address cannot be listened on; `setting` names what to change.
    """
    from aiohttp import web

    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_LINGER_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise SettingsError(f"cannot listen on {host}:{port} ({error.strerror}): set {setting}") from error
        yield
    finally:
        await runner.cleanup()
