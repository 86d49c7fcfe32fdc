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
        """Register what the file has. A source that it no longer has stays until `perdure schedule set`.

        Raises:
            InputError: the file is wrong.
            DatabaseUnavailableError: the database is away.
        """
        state = _state(self._catalog.path)
        terms = terms_of(self._catalog.sources())
        await register_sources(self._db, terms)
        self._registered = state
        logger.info("sources of %s: %s", self._catalog.path, ", ".join(each.name for each in terms) or "none")

    async def run(self) -> None:
        """Register the sources again whenever the file changes, until canceled. A wrong file changes nothing."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            state = _state(self._catalog.path)
            if state == self._registered:
                continue
            try:
                await self.register()
            except InputError as error:
                self._registered = state
                logger.error("the sources stay as they were: %s", error)
            except DatabaseUnavailableError as error:
                logger.warning("the sources are registered once the database is back: %s", error)


def _state(path: Path) -> tuple[int, int] | None:
    """Return what changes with the file's content; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
