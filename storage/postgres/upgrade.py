"""Upgrading a database to the schema of this version of the code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.indexes import build_indexes
from storage.postgres.roles import ROLES, missing_roles

_INSUFFICIENT_PRIVILEGE = "42501"
_EXTENSION_MISSING = ("0A000", "58P01")
# Alembic keeps its state in module globals, so a process runs one upgrade at a time. Between processes, and before the
# revision is read, an advisory lock in the database does the same (see env.py).
_one_at_a_time = asyncio.Lock()


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration, which depends on no file and no working directory."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parents[1] / "schema" / "migrations").replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    if connection is not None:
        made.attributes["connection"] = connection
    return made


def head() -> str:
    """Return the newest revision that this code knows."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def history() -> list[tuple[str, str]]:
    """Return the revisions that this code knows with a sentence about each, oldest first."""
    found = [(each.revision, (each.doc or "").split("\n")[0]) for each in _revisions()]
    return found[::-1]


def _revisions() -> Iterator[Script]:
    return ScriptDirectory.from_config(config()).walk_revisions()


async def upgrade(database_url: str, say: Callable[[str], None] = lambda _: None) -> str:
    """Run all missing migrations. Returns the database's revision afterwards.

    Several processes can run this concurrently: advisory locks serialize them. `say` is given what takes long.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, its role is not allowed to create the schema, or its
            revision is newer than this code.
    """
    database = Database(database_url, pool_size=1)
    try:
        async with _one_at_a_time:
            async with database.reading() as connection:
                with _rights_explained():
                    await build_indexes(connection, say)
            async with database.transaction() as connection:
                with _rights_explained():
                    await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
    except CommandError as error:
        raise DatabaseUnavailableError(
            f"the database is newer than this version of Perdure, whose last revision is {head()}: {error}; use the "
            "newer version, or restore a backup"
        ) from error
    finally:
        await database.close()
    return head()


@contextmanager
def _rights_explained() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _INSUFFICIENT_PRIVILEGE or state in _EXTENSION_MISSING:
            reason = str(error.orig).splitlines()[0].split(">: ")[-1]
            raise DatabaseUnavailableError(
                f"the database's role is not allowed to create the schema: {reason}; "
                "grant it CREATE on the database, and have the extension btree_gist installed"
            ) from error
        raise


async def roles_without_grants(database_url: str) -> list[str]:
    """Return the roles that do not exist, if any of them exists: without any, one role does everything.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
    """
    database = Database(database_url, pool_size=1)
    try:
        async with database.transaction(read_only=True) as connection:
            missing = await connection.run_sync(missing_roles)
    finally:
        await database.close()
    return [] if missing == list(ROLES) else missing
