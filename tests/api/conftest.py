"""A migrated database, as the API, the sources' worker and the command line log in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from storage.postgres.database import Database
from storage.postgres.roles import API, INGEST, OPERATOR
from storage.postgres.upgrade import upgrade
from storage.schema.tables import METADATA
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role


@pytest.fixture(scope="module")
async def url(module_database: FreshDatabase) -> str:
    return await module_database(upgrade)


@pytest.fixture(scope="module")
async def owner(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def db(owner: Database) -> AsyncIterator[Database]:
    """The database as its owner; it is empty."""
    yield owner
    async with owner.transaction() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))


@pytest.fixture
async def api(url: str) -> AsyncIterator[Database]:
    database = Database(as_role(url, API), pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def ingest(url: str) -> AsyncIterator[Database]:
    database = Database(as_role(url, INGEST), pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def operator(url: str) -> AsyncIterator[Database]:
    database = Database(as_role(url, OPERATOR), pool_size=2)
    yield database
    await database.close()
