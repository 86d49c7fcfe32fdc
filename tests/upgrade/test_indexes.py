"""The indexes of revision 0010 are built while everybody works, and the migration itself takes no time for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.postgres.database import Database
from storage.postgres.indexes import build_indexes
from storage.postgres.upgrade import upgrade
from tests.support.until import until

_NAMES = ["claim_instance_key", "workspace_instance_account"]  # the release has no table of segments
_INDEXES = """
    SELECT indexrelid::regclass::text AS name, indexrelid AS id, indisvalid AS valid
    FROM pg_index WHERE indexrelid::regclass::text = ANY ($1) ORDER BY 1
"""
_BUILD_WAITS = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
      AND query LIKE 'CREATE INDEX%workspace_instance_account%'
"""
_LOOKUP = "EXPLAIN SELECT FROM claim AS c WHERE instance_key(c.instance_id) = ANY (ARRAY[instance_key('i')])"
_IMPORT = "INSERT INTO workspace_instance (id) VALUES ($1)"


@pytest.fixture
async def old(old_database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(old_database, server_settings={"lock_timeout": "10s"})
    yield opened
    await opened.close()


async def _build(url: str) -> list[str]:
    database = Database(url, 1)
    try:
        async with database.reading() as connection:
            return await build_indexes(connection)
    finally:
        await database.close()


@pytest.mark.waits
async def test_they_are_built_in_use_and_wherever_an_earlier_build_was_interrupted(
    old: asyncpg.Connection, old_database: str
) -> None:
    importer = await asyncpg.connect(old_database)
    of_importer = importer.transaction()
    await of_importer.start()
    await importer.execute(_IMPORT, "i-1")
    building = asyncio.create_task(_build(old_database))

    async def waits() -> bool:
        return bool(await old.fetch(_BUILD_WAITS)) or building.done()

    await until(waits)
    await old.execute(_IMPORT, "i-2")  # as everybody can, meanwhile
    await old.execute("UPDATE claim SET line_no = line_no")
    await old.execute("UPDATE account SET currency = currency")
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    await of_importer.commit()
    await importer.close()

    left, [first, second] = _NAMES[1], await asyncio.gather(_build(old_database), _build(old_database))
    assert sorted([first, second]) == [[], [left]]
    built = await old.fetch(_INDEXES, _NAMES)
    assert [(row["name"], row["valid"]) for row in built] == [(name, True) for name in _NAMES]
    assert await _build(old_database) == []
    await upgrade(old_database)
    assert await old.fetch(_INDEXES, _NAMES) == built
    await old.execute("SET enable_seqscan = off")
    assert "claim_instance_key" in str(await old.fetch(_LOOKUP))


async def test_an_upgrade_builds_them_before_it_keeps_anybody_out(old: asyncpg.Connection, old_database: str) -> None:
    """While it waits for an import, the console reads accounts, and the next import is not kept waiting."""
    importer = await asyncpg.connect(old_database)
    of_importer = importer.transaction()
    await of_importer.start()
    await importer.execute(_IMPORT, "i-1")
    upgrading = asyncio.create_task(upgrade(old_database))

    async def waits() -> bool:
        return bool(await old.fetch(_BUILD_WAITS)) or upgrading.done()

    await until(waits)
    assert await old.fetch("SELECT FROM account")
    await old.execute(_IMPORT, "i-2")
    await of_importer.commit()
    await importer.close()
    await upgrading
    assert [row["valid"] for row in await old.fetch(_INDEXES, _NAMES)] == [True, True]
