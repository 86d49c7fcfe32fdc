"""Registering the sources of `sources.toml`: at the start, and whenever the file changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from activities.sources.catalog import SourceCatalog, terms_of
from billing.errors import InputError
from storage.arrivals.sources import register_sources
from storage.postgres.database import Database, DatabaseUnavailableError

logger = logging.getLogger("perdure.sources")

_POLL_SECONDS = 0.5


class Registrar:
    """Makes the sources known to the billing worker, which fetches from them before it bills."""

    def __init__(self, db: Database, catalog: SourceCatalog) -> None:
        self._db = db
        self._catalog = catalog
        self._registered = _state(catalog.path)

    async def register(self) -> None:
        """Register what the file has. A wrong file is logged and changes nothing else.

        A source that the file no longer has stays until `perdure schedule set`.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        state = _state(self._catalog.path)
        try:
            terms = terms_of(self._catalog.sources())
        except InputError as error:
            self._registered = state
            logger.error("the sources stay as they were until the file is corrected: %s", error)
            return
        await register_sources(self._db, terms)
        self._registered = state
        logger.info("sources of %s: %s", self._catalog.path, ", ".join(each.name for each in terms) or "none")

    async def run(self) -> None:
        """Register the sources again whenever the file changes, until canceled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if _state(self._catalog.path) == self._registered:
                continue
            try:
                await self.register()
            except DatabaseUnavailableError as error:
                logger.warning("the sources are registered once the database is back: %s", error)


def _state(path: Path) -> tuple[int, int] | None:
    """Return what changes with the file's content; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
