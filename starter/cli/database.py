"""The database connection of a command."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from settings import Settings
from storage.postgres.database import Database, DatabaseUnavailableError

# An import holds one for its temporary table, and stores accounts by the other.
_CONNECTIONS = 2
_ANSWER_SECONDS = 5.0


@asynccontextmanager
async def open_database(settings: Settings, connections: int = _CONNECTIONS) -> AsyncIterator[Database]:
    """Open the database, and check that it answers and has its migrations.

    `connections`: the most that are open at a time.

    Raises:
        SettingsError: DATABASE_URL is not set.
        DatabaseUnavailableError: the database cannot be reached, or lacks migrations.
    """
    db = Database(settings.need("database_url"), connections)
    try:
        await answers(db)
        yield db
    finally:
        await db.close()


async def answers(db: Database) -> None:
    """Make sure that the database answers within seconds, and has its tables.

    Raises:
        DatabaseUnavailableError: it does not; the message says what to do.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await db.ping()
    except TimeoutError:
        raise DatabaseUnavailableError(db.silence) from None
    except DatabaseUnavailableError as error:
        if (stack := os.environ.get("PERDURE_STACK")) and not (Path(stack) / "env").exists():
            stopped = f"this shell has the settings of the stack in {stack}, which is stopped: `perdure up` starts it"
            raise DatabaseUnavailableError(f"{error}; {stopped}") from error
        raise
