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

# 128 bits: no two instances will ever share a key by accident, and if they did, PostgreSQL would refuse a claim rather
# than allow a second one. Not `md5`, which a server in FIPS mode refuses.
INSTANCE_KEY = """
CREATE OR REPLACE FUNCTION instance_key(instance_id text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(lpad(to_hex(hashtextextended(instance_id, 0)), 16, '0')
                || lpad(to_hex(hashtextextended(instance_id, 1)), 16, '0') AS uuid)
$$
"""

KEPT = {
    "workspace_instance_account": (
        "workspace_instance (attribution_id, (COALESCE(LEAST(stopping_time, stopped_time), 'infinity'::timestamptz)))"
    ),
    "segment_account": "segment (attribution_id, (COALESCE(upper(during), 'infinity'::timestamptz)))",
}
"""What each index has, by its name."""

UNTIL_REKEYED = {"claim_instance_key": "claim (instance_key(instance_id))"}
"""The same, of a table of claims that is to be copied: by this, its claims are found until the copy has its name."""

_REVISION = "0010"
_WANTED = {**KEPT, **UNTIL_REKEYED}
_PAUSE_SECONDS = 0.2
# Until the connection ends. Waiting for the lock in a statement would keep a transaction open, for which builds wait.
_TRY_TURN = text("SELECT pg_try_advisory_lock(7336873203)")
# With what an interrupted build left. A table that does not exist yet gets its indexes by its migration.
_MISSING = text("""
    SELECT wanted.name, i.indexrelid IS NOT NULL AS unfinished
    FROM unnest(CAST(:names AS text[]), CAST(:tables AS text[])) AS wanted (name, of_table)
    LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass(wanted.name)
    WHERE to_regclass(wanted.of_table) IS NOT NULL AND i.indisvalid IS NOT TRUE
    ORDER BY wanted.name
""")


async def build_indexes(connection: AsyncConnection, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Build the indexes that the database lacks, if it is older than their revision. Returns their names.

    One call at a time does it, and others wait. An index that an interrupted call left unfinished is built again.

    Args:
        connection: commits each statement (`Database.reading`). It ends with the call if anything was missing.
        say: is given what is done.
    """
    if not await _missing(connection):
        return []
    try:
        while not (await connection.execute(_TRY_TURN)).scalar_one():
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
    found = await connection.execute(_MISSING, given)
    return [(row.name, row.unfinished) for row in found]


async def _build(connection: AsyncConnection, say: Callable[[str], None]) -> list[str]:
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
