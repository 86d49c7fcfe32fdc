from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text

from storage.postgres.database import Database
from storage.postgres.roles import INGEST
from storage.postgres.upgrade import upgrade
from storage.schema.tables import METADATA
from tests.arrivals.product import ProductDatabase
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role


@pytest.fixture(scope="module")
async def database_url(module_database: FreshDatabase) -> str:
    return await module_database(upgrade)


@pytest.fixture(scope="module")
async def owner(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def db(database_url: str, owner: Database) -> AsyncIterator[Database]:
    """A migrated, empty database, as the sources' worker may use it."""
    database = Database(as_role(database_url, INGEST), pool_size=6)
    yield database
    await database.close()
    async with owner.transaction() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))


@pytest.fixture(scope="module")
async def product_url(module_database: FreshDatabase) -> str:
    return await module_database()


@pytest.fixture
async def product(product_url: str) -> AsyncIterator[ProductDatabase]:
    """Somebody's product: a database of its own, with a table of instances."""
    connection = await asyncpg.connect(product_url)
    try:
        yield await ProductDatabase.create(product_url, connection)
    finally:
        await connection.execute("DROP TABLE IF EXISTS instance")
        await connection.close()
