import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.upgrade import head, upgrade
from storage.schema.tables import METADATA
from tests.support.databases import FreshDatabase

CATALOG = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
               a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid), l.collname
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
          AND c.relname <> 'alembic_version'
        ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '')
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
          AND conrelid::regclass::text <> 'alembic_version'
        ORDER BY 1, 2""",
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1, 2""",
}


async def _catalog(connection: AsyncConnection) -> dict[str, list[tuple[object, ...]]]:
    return {name: [tuple(row) for row in await connection.execute(text(query))] for name, query in CATALOG.items()}


async def test_metadata_and_migrations_agree(fresh_database: FreshDatabase) -> None:
    url = await fresh_database()
    await upgrade(url)
    migrated, described = Database(url), Database(await fresh_database())
    async with migrated.transaction() as connection:
        by_migrations = await _catalog(connection)
        instance_key = (
            await connection.execute(text("SELECT pg_get_functiondef('instance_key'::regproc)"))
        ).scalar_one()
    async with described.transaction() as connection:
        await connection.execute(text("CREATE EXTENSION btree_gist"))
        await connection.execute(text(instance_key))
        await connection.run_sync(METADATA.create_all)
        by_metadata = await _catalog(connection)
    await migrated.close()
    await described.close()
    assert {table for table, *_ in by_migrations["columns"]} == set(METADATA.tables)
    for name, found in by_migrations.items():
        assert found == by_metadata[name]


@pytest.mark.waits
async def test_twice_at_once_and_from_anywhere(
    fresh_database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = await fresh_database()
    assert set(await asyncio.gather(upgrade(url), upgrade(url), upgrade(url))) == {head()}
    assert await upgrade(url) == head()
    database = Database(url)
    await database.ping()
    await database.close()


@pytest.mark.waits
async def test_processes_take_turns(fresh_database: FreshDatabase) -> None:
    """Without the advisory lock both would create the tables, and one would fail."""
    url = await fresh_database()
    code = f"import asyncio; from storage.postgres.upgrade import upgrade; asyncio.run(upgrade({url!r}))"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=Path(__file__).parents[2], stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in processes:
        _, stderr = await process.communicate()
        assert process.returncode == 0, stderr.decode()


async def test_a_role_that_may_not_create_is_refused_with_the_reason(fresh_database: FreshDatabase) -> None:
    url = await fresh_database()
    owner = Database(url)
    name = url.rsplit("/", 1)[1].split("?")[0]
    async with owner.transaction() as connection:
        await connection.execute(text(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'pw'"))
    place = url.rsplit("@", 1)[1]
    try:
        with pytest.raises(DatabaseUnavailableError, match=r"is not allowed to create the schema: permission denied"):
            await upgrade(f"postgresql://{name}:pw@{place}")
    finally:
        async with owner.transaction() as connection:
            await connection.execute(text(f'DROP ROLE "{name}"'))
        await owner.close()
