"""Forgetting what arrived long ago: ids of events, and details of customers whose account never came."""

from __future__ import annotations

import asyncio
import logging

from storage.arrivals.details import forget_waiting
from storage.arrivals.events import REMEMBERED, forget_ids
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.refusals import retrying

logger = logging.getLogger("perdure.sources")

_EVERY_SECONDS = 3600.0
_BATCH = 5000
_BETWEEN_SECONDS = 0.1  # so that the API hardly notices that years of ids go


async def forget_forever(db: Database) -> None:
    """Forget old ids each hour, in small transactions, until it is canceled. While the database is away, it waits."""
    while True:
        try:
            with retrying("forget"):
                await _forget(db)
        except DatabaseUnavailableError as error:
            logger.warning("old ids of events are forgotten once the database is back: %s", error)
        await asyncio.sleep(_EVERY_SECONDS)


async def _forget(db: Database) -> None:
    forgotten, count = 0, _BATCH
    while count == _BATCH:
        forgotten += (count := await forget_ids(db, _BATCH))
        await asyncio.sleep(_BETWEEN_SECONDS)
    if waiting := await forget_waiting(db):
        logger.warning("forgot %d rows of details whose account was not there for %d days", waiting, REMEMBERED.days)
    if forgotten:
        logger.info("forgot the ids of %d events that arrived more than %d days ago", forgotten, REMEMBERED.days)
