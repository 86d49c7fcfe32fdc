"""A migrated, empty database, and a console that reads it as its role."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from storage.postgres.upgrade import upgrade
from tests.console.serving import RunningConsole, running_console
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role


@pytest.fixture(scope="module")
async def url(module_database: FreshDatabase) -> str:
    return await module_database(upgrade)


@pytest.fixture(scope="module")
async def owner(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def db(url: str) -> AsyncIterator[Database]:
    """The database as the console sees it."""
    database = Database(as_role(url, CONSOLE), pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def console(owner: Database, db: Database) -> AsyncIterator[RunningConsole]:
    """A console without settings; its tokens are gone afterwards."""
    async with running_console(owner, db) as running:
        yield running
    async with owner.transaction() as connection:
        await connection.execute(text("DELETE FROM api_token"))
