"""A function that runs as the owner uses our tables alone, whatever its caller has made."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.postgres.roles import INGEST
from storage.postgres.upgrade import upgrade
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role

NOTE = """
    CREATE FUNCTION pg_temp.note() RETURNS {} LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO pg_temp.noted VALUES (current_user);
        RETURN {};
    END
    $$
"""
SIGNS = """
    CREATE TEMP TABLE usage_fact AS
    SELECT 'x' AS instance_id, 'alive' AS kind, '' AS source, at, NULL AS replaced_at
    FROM (VALUES (now()), (now() + '1 s')) AS sign (at)
"""
STEALS = {
    "lock_accounts": (NOTE.format("text", "''"), "CREATE TEMP VIEW account AS SELECT pg_temp.note() AS attribution_id"),
    "drop_earlier_signs": (
        NOTE.format("trigger", "NULL"),
        SIGNS,
        "CREATE TRIGGER noting BEFORE DELETE ON pg_temp.usage_fact FOR EACH ROW EXECUTE FUNCTION pg_temp.note()",
        "GRANT ALL ON pg_temp.usage_fact TO PUBLIC",
    ),
}
"""Tables of a caller's own with the names of ours, by the function that would use them."""


@pytest.fixture
async def ingest(module_database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(as_role(await module_database(upgrade), INGEST))
    yield connection
    await connection.close()


@pytest.mark.parametrize("function", STEALS)
async def test_a_temporary_table_does_not_stand_for_ours(ingest: asyncpg.Connection, function: str) -> None:
    await ingest.execute("CREATE TEMP TABLE noted (who text)")
    await ingest.execute("GRANT INSERT ON noted TO PUBLIC")
    for statement in STEALS[function]:
        await ingest.execute(statement)
    await ingest.execute(f"SELECT {function}(ARRAY['x'])")
    assert await ingest.fetch("SELECT who FROM noted") == []
