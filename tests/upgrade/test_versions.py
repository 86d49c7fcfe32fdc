"""During an upgrade, statements of the version before claim nothing, and no claim is made half by each schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.indexes import build_indexes
from storage.postgres.revision import known_revisions, require_known_revision
from storage.postgres.upgrade import upgrade
from tests.support.databases import FreshDatabase
from tests.support.until import until
from tests.upgrade.state import RELEASES

_CLAIM = (Path(__file__).parent / "claim_0005.sql").read_text()
_PAGE_USAGE = """
CREATE TEMPORARY TABLE page_usage (
    attribution_id text, instance_id text, workspace_class text, rate_from timestamptz, month text, during tstzrange
)"""
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'alembic_version'::regclass"


@pytest.fixture
async def database_0005(fresh_database: FreshDatabase) -> str:
    url = await fresh_database()
    await next(release for release in RELEASES if release.revision == "0005").fill_database(url)
    return url


@pytest.fixture
async def connection(database_0005: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database_0005)
    yield opened
    await opened.close()


async def test_the_statement_of_revision_0005_claims_nothing_any_more(
    database_0005: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(_PAGE_USAGE)
    await connection.execute(_CLAIM)
    left_over = await connection.fetch("SELECT instance_id FROM page_usage ORDER BY instance_id")
    assert [row["instance_id"] for row in left_over] == ["running-1", "small-1", "unpriced-1"]
    await upgrade(database_0005)
    with pytest.raises(asyncpg.UndefinedColumnError, match="lifetime"):
        await connection.execute(_CLAIM)


@pytest.mark.waits
async def test_an_upgrade_waits_for_claims_and_claims_for_the_upgrade(
    database_0005: str, connection: asyncpg.Connection
) -> None:
    db = Database(database_0005, 2)

    async def waiting(count: int) -> bool:
        return bool(await connection.fetchval(_WAITING) == count)

    async def claim() -> None:
        async with db.transaction() as of_claim:
            await require_known_revision(of_claim)

    try:
        async with db.reading() as building:  # waits for earlier transactions, and has nobody wait
            await build_indexes(building)
        async with db.engine.connect() as running, running.begin():
            with pytest.raises(DatabaseUnavailableError, match="has revision 0005"):  # its transaction goes on
                await require_known_revision(running)
            upgrading = asyncio.create_task(upgrade(database_0005))
            await until(lambda: waiting(1))
            later = asyncio.create_task(claim())
            await until(lambda: waiting(2))
        assert await upgrading == known_revisions()[-1]
        await later  # it has seen the new revision
    finally:
        await db.close()
