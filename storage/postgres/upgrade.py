"""Bring a database to the schema of this version of the code."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage.postgres.database import Database, DatabaseUnavailableError

_INSUFFICIENT_PRIVILEGE = "42501"
_EXTENSION_MISSING = ("0A000", "58P01")
# Alembic keeps what it works on in module globals: one at a time in a process. Between processes, and before the
# revision is read, an advisory lock of the database does the same (see env.py).
_one_at_a_time = asyncio.Lock()


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; it depends on no file and no working directory."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parents[1] / "schema" / "migrations").replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    if connection is not None:
        made.attributes["connection"] = connection
    return made


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


async def upgrade(database_url: str) -> str:
    """Run all migrations that are missing and say which revision the database is at now.

    Safe to run by several processes at once: an advisory lock makes them take turns.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or its role may not create the schema.
    """
    database = Database(database_url, pool_size=1)
    try:
        async with _one_at_a_time, database.transaction() as connection:
            await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _INSUFFICIENT_PRIVILEGE or state in _EXTENSION_MISSING:
            reason = str(error.orig).splitlines()[0].split(">: ")[-1]
            raise DatabaseUnavailableError(
                f"the database's role may not create the schema: {reason}; "
                "give it CREATE on the database, with the extension btree_gist at hand"
            ) from error
        raise
    finally:
        await database.close()
    return head()
