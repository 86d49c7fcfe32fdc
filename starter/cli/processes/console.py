"""`perdure console`: serves pages for people, in which operators act."""

from __future__ import annotations

import functools
import logging
from datetime import timedelta

from settings import SettingsError
from starter.cli import common
from starter.cli.shell.version import own_version
from starter.cli.status.stored import waiting_terms
from starter.console.app import Console, ConsoleLimits
from starter.console.services import ConsoleServices
from starter.http.connections import ConnectionLimits
from starter.http.server import serving
from storage.postgres.database import Database
from temporal.client import connect

logger = logging.getLogger("perdure.console")

_REQUEST_SECONDS = 600.0  # a download of a large period streams for minutes


@common.command
async def console() -> None:
    """Serve the console for people, until SIGTERM.

    It shows what is in Postgres, and acts through Temporal. Needs DATABASE_URL; the role perdure_console suffices.
    """
    settings = common.settings()
    if settings.console_proxy_header is not None and not settings.console_proxy_addresses:
        raise SettingsError("CONSOLE_PROXY_HEADER needs CONSOLE_PROXY_ADDRESSES: the addresses of the proxy")
    common.log_to_stderr(settings, temporal=True)
    longest = timedelta(seconds=settings.console_statement_seconds)
    db = Database(settings.need("database_url"), settings.database_pool_size, longest)
    client = await connect(lazy=True, logs=True)
    services = ConsoleServices(db, settings, functools.partial(waiting_terms, settings), client, own_version())
    limits = ConsoleLimits(ConnectionLimits(settings.console_connections, request_seconds=_REQUEST_SECONDS))
    try:
        async with serving(Console(services, limits).server(), settings.console_host, settings.console_port) as served:
            stopped = common.stop_event()  # before the line below: a reader of it can send SIGTERM immediately
            address = settings.console_url or f"http://{settings.console_host}:{served}"
            logger.info("console: listening on %s", address)
            await stopped.wait()
    finally:
        await db.close()
