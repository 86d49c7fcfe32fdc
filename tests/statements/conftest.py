from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade
from storage.schema.tables import METADATA
from tests.support.databases import FreshDatabase


@pytest.fixture(scope="module")
async def statements_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await module_database(upgrade), pool_size=3)
    yield database
    await database.close()


@pytest.fixture
async def db(statements_db: Database) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    yield statements_db
    async with statements_db.transaction() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))
