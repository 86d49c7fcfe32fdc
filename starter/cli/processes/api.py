"""`perdure api`: takes events and rows of usage."""

from __future__ import annotations

import logging

from starter.api.handler import EVENTS, Api, ApiLimits
from starter.cli import common
from starter.http.connections import ConnectionLimits
from starter.http.server import serving
from storage.postgres.database import Database

logger = logging.getLogger("perdure.api")


@common.command
async def api() -> None:
    """Take events and rows of usage over HTTP, until SIGTERM.

    Needs DATABASE_URL; the role perdure_api suffices.
    """
    settings = common.settings()
    common.log_to_stderr(settings)
    db = Database(settings.need("database_url"), settings.database_pool_size)
    limits = ApiLimits(settings.api_events_per_second, connections=ConnectionLimits(settings.api_connections))
    host, port = settings.api_host, settings.api_port
    try:
        async with serving(Api(db, limits).server(), host, port) as served:
            stopped = common.stop_event()  # before the line below: a reader of it can send SIGTERM immediately
            logger.info("api: listening on http://%s:%s%s", host, served, EVENTS)
            await stopped.wait()
    finally:
        await db.close()
