from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade
from storage.schema.tables import METADATA
from tests.storage.adjusting import owing_world
from tests.support.databases import FreshDatabase


@pytest.fixture(scope="module")
async def shared_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await module_database(upgrade), pool_size=6)
    yield database
    await database.close()


@pytest.fixture
async def db(shared_db: Database) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    yield shared_db
    async with shared_db.transaction() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))


@pytest.fixture
async def owing(db: Database) -> Database:
    """May is billed. In June an instance ran for a day, and the correction of May charges 700 cents more."""
    await owing_world(db)
    return db
