"""What changes usage says so by triggers, at a cost of what it changes, and whatever the writer's settings."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.claims.claims import claim_page
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

_OTHERS = """
    INSERT INTO workspace_instance (id, attribution_id, workspace_id, project_id, workspace_class, creation_time,
                                    started_time, stopping_time, segmented)
    SELECT 'o-' || n, 'team:b', 'w', 'p', 'small', '2022-05-01Z', '2022-05-01Z', '2022-05-02Z', n % 4 = 0
    FROM generate_series(1, 20000) AS n
"""
_SEGMENTS = """
    INSERT INTO segment (instance_id, during, attribution_id, workspace_class, quantity)
    SELECT id, '[2022-05-01Z, 2022-05-02Z)', 'team:b', 'small', 1 FROM workspace_instance WHERE segmented
"""
_READ = """
    SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname IN ('workspace_instance', 'segment')
"""
_CHANGE = "UPDATE workspace_instance SET stopping_time = stopping_time + interval '1 s' WHERE id = ANY ($1)"
_TOUCH = "UPDATE workspace_instance SET last_sign = now(), last_source = '' WHERE id = ANY ($1)"
_RELEASE = "DELETE FROM claim WHERE instance_id = ANY ($1)"
_ONE, _MANY = ["o-301"], [f"o-{n}" for n in range(1, 101)]


@pytest.fixture
async def db(migrated_database: str) -> AsyncIterator[Database]:
    database = Database(migrated_database, 1)
    yield database
    await database.close()


@pytest.fixture
async def fresh(migrated_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session that has no plans yet."""
    connection = await asyncpg.connect(migrated_database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("sizes", [(_ONE, _MANY), (_MANY, _ONE)], ids=["few-many", "many-few"])
async def test_nothing_is_read_but_what_changes(
    db: Database, fresh: asyncpg.Connection, sizes: tuple[list[str], list[str]]
) -> None:
    """A plan for one row that the session keeps would read the table once for each of many."""
    await add_account(db, "team:a")
    await add_instances(db, *(instance(f"i-{n}", may(2), may(3)) for n in range(1, 401)))
    await claim_page(db, scope(), card())
    await fresh.execute(_OTHERS)
    await fresh.execute(_SEGMENTS)
    await fresh.execute("DELETE FROM reopened_usage; ANALYZE")
    async with fresh.transaction():
        before = await fresh.fetchval(_READ)
        for ids in sizes:
            await fresh.execute(_TOUCH, ids)
            await fresh.execute(_CHANGE, ids)
            await fresh.execute(_RELEASE, [each.replace("o", "i") for each in ids])
        assert await fresh.fetchval(_READ) == before
        found = await fresh.fetch("SELECT attribution_id, count(*) FROM reopened_usage GROUP BY 1 ORDER BY 1")
    assert list(map(tuple, found)) == [("team:a", 2), ("team:b", 2)]


async def test_a_restore_of_the_data_alone_is_not_refused(db: Database, fresh: asyncpg.Connection) -> None:
    """`pg_restore` empties the search path. The functions use their own, and run as the owner."""
    await add_account(db, "team:a")
    await add_instances(db, instance("old", may(2), may(3)))
    await claim_page(db, scope(), card())
    await fresh.execute("DELETE FROM reopened_usage; SET search_path = ''")
    await fresh.execute("UPDATE public.workspace_instance SET stopping_time = '2022-05-04Z'")
    await fresh.execute("DELETE FROM public.claim")
    assert await fresh.fetchval("SELECT count(*) FROM public.reopened_usage") == 2
