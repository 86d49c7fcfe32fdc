"""Building the indexes of revision 0010 before its migration, while everybody reads and writes.

A migration that built them would keep imports and claims waiting until the last one is done: for minutes where there
are millions of instances.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.revision import read_revision
from storage.postgres.statements import statement
from storage.schema.migrations.indexes_0010 import INSTANCE_KEY, KEPT, UNTIL_REKEYED

Say = Callable[[str], None]
_REVISION = "0010"
_WANTED = {**KEPT, **UNTIL_REKEYED}
_PAUSE_SECONDS = 0.2


async def build_indexes(connection: AsyncConnection, say: Say = lambda _: None) -> list[str]:
    """Build the indexes that the database lacks, if it is older than their revision. Returns their names.

    One call at a time does it, and others wait. An index that an interrupted call left unfinished is built again.

    Args:
        connection: one that commits each statement (`Database.reading`). If anything is built, it is given up.
        say: is given what is done.
    """
    if not await _missing(connection):
        return []
    try:
        while not (await connection.execute(statement("rekeying/indexes", "try_turn"))).scalar_one():
            say("waiting for another `perdure db upgrade`, which builds indexes")
            await asyncio.sleep(_PAUSE_SECONDS)
        return await _build(connection, say)
    finally:
        await connection.invalidate()


async def _missing(connection: AsyncConnection) -> list[tuple[str, bool]]:
    revision = await read_revision(connection)
    if revision is None or revision >= _REVISION:
        return []
    given = {"names": list(_WANTED), "tables": [columns.split()[0] for columns in _WANTED.values()]}
    found = await connection.execute(statement("rekeying/indexes", "missing"), given)
    return [(row.name, row.unfinished) for row in found]


async def _build(connection: AsyncConnection, say: Say) -> list[str]:
    """Build them one by one. Each statement is a transaction: PostgreSQL wants that of an index built in use."""
    missing = await _missing(connection)
    if missing:
        await connection.execute(text(INSTANCE_KEY))
    for name, unfinished in missing:
        say(f"building the index {name}")
        if unfinished:
            await connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
        await connection.execute(text(f"CREATE INDEX CONCURRENTLY {name} ON {_WANTED[name]}"))
        await connection.execute(text(f"ANALYZE {_WANTED[name].split()[0]}"))  # what is known of its expression
    return [name for name, _ in missing]
