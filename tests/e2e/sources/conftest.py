from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from tests.arrivals.product import ProductDatabase
from tests.support.databases import FreshDatabase


@pytest.fixture
async def product(fresh_database: FreshDatabase) -> AsyncIterator[ProductDatabase]:
    """Somebody's product, with a database of its own."""
    url = await fresh_database()
    connection = await asyncpg.connect(url)
    yield await ProductDatabase.create(url, connection)
    await connection.close()
