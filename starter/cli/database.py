"""The database connection of a command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from settings import Settings
from storage.postgres.database import Database

# An import holds one for its temporary table, and stores accounts by the other.
_CONNECTIONS = 2


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, and check that it answers and has its migrations.

    Raises:
        SettingsError: DATABASE_URL is not set.
        DatabaseUnavailableError: the database cannot be reached, or lacks migrations.
    """
    db = Database(settings.need("database_url"), _CONNECTIONS)
    try:
        await db.ping()
        yield db
    finally:
        await db.close()
