"""A migrated, empty database, and a console that reads it as its role."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from temporalio.client import Client

from devstack.servers.emulator import EmulatorServer
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from storage.postgres.upgrade import upgrade
from tests.console.month import MonthOnPages, billed_month
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


@pytest.fixture(scope="module")
async def month(
    url: str, temporal_client: Client, stripe_emulator: EmulatorServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[MonthOnPages]:
    """A billed month, a console on it, and a browser that has signed in."""
    async with billed_month(temporal_client, url, stripe_emulator, tmp_path_factory.mktemp("month")) as running:
        yield running


@pytest.fixture
async def console(owner: Database, db: Database) -> AsyncIterator[RunningConsole]:
    """A console without settings; its tokens are gone afterwards."""
    async with running_console(owner, db) as running:
        yield running
    async with owner.transaction() as connection:
        await connection.execute(text("DELETE FROM api_token"))
