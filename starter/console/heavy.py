"""Readings that take long: how many there are at the same time, so that one person does not stop the console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import web

from storage.postgres.database import Database, DatabaseUnavailableError

WAIT_SECONDS = 10.0
"""How long a heavy reading waits for room."""
_BRIEF = timedelta(seconds=1)
_BRIEF_CONNECTIONS = 2


class HeavyReadings:
    """Downloads, and passes over all usage of a period. Each holds a connection of the pool, as long as it takes."""

    def __init__(self, most: int) -> None:
        self._room = asyncio.Semaphore(most)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Have room for a reading.

        Raises:
            HTTPServiceUnavailable: too many go on.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            text = "Other downloads and long readings go on: open this again in a minute."
            raise web.HTTPServiceUnavailable(text=text) from None
        try:
            yield
        finally:
            self._room.release()


class BriefReadings:
    """What a page shows if it is known within a second, on two connections of its own.

    The server ends what takes longer itself: otherwise it would go on after nobody waits for it.
    """

    def __init__(self, db: Database) -> None:
        self._db = db.limited(_BRIEF, _BRIEF_CONNECTIONS)
        self._room = asyncio.Semaphore(_BRIEF_CONNECTIONS)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Database]:
        """Yield the database for a reading.

        Raises:
            DatabaseUnavailableError: other pages read for all of a second.
        """
        try:
            async with asyncio.timeout(_BRIEF.total_seconds()):
                await self._room.acquire()
        except TimeoutError:
            raise DatabaseUnavailableError("other pages read for longer than a second") from None
        try:
            yield self._db
        finally:
            self._room.release()

    async def close(self) -> None:
        """Close the connections."""
        await self._db.close()
