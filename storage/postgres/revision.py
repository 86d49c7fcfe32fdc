"""The revision of the database's schema, compared with the revisions that this code knows."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.database import DatabaseUnavailableError

_MIGRATION = re.compile(r"(\d{4})_\w+\.py")
_INSUFFICIENT_PRIVILEGE = "42501"


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this code knows, oldest first: its migrations' files begin with them."""
    names = (file.name for file in files("storage.schema.migrations.versions").iterdir())
    return tuple(sorted(found[1] for name in names if (found := _MIGRATION.fullmatch(name))))


async def require_known_revision(connection: AsyncConnection, *, or_newer: bool = False) -> None:
    """Make sure that the database has the newest revision that this code knows, or with `or_newer` a later one.

    A transaction that writes claims or usage calls this first. An upgrade waits for the transactions that have called
    it, and later calls wait for the upgrade (see `storage/schema/migrations/env.py`): the answer holds until their end.

    Raises:
        DatabaseUnavailableError: the database or this code is too old; the message says which is to be upgraded.
    """
    known = known_revisions()
    found = await _revision(connection)
    if found == known[-1]:
        return
    if found is None or found in known:
        has = "no revision that this role can read" if found is None else f"revision {found}"
        raise DatabaseUnavailableError(f"the database has {has}, {known[-1]} is needed: run `perdure db upgrade`")
    if not or_newer:
        raise DatabaseUnavailableError(
            f"the database has revision {found}, newer than {known[-1]}, the last that this version of Perdure knows: "
            "upgrade this process (worker or command line)"
        )


async def read_revision(connection: AsyncConnection) -> str | None:
    """Return the database's revision. None if it has none yet, or if the role is not allowed to read it."""
    if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
        return None
    return await _revision(connection)


async def _revision(connection: AsyncConnection) -> str | None:
    """Return the database's revision. None if the role is not allowed to read it: `db upgrade` grants that."""
    try:
        found = await connection.execute(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
            return None
        raise
    return str(found.scalar_one())
