"""Fixtures for all tests: real servers, started once per process on free ports and stopped afterwards.

| fixture | scope | provides |
| --- | --- | --- |
| `fresh_database` | function | `url = await fresh_database()`: an empty database; with a coroutine function
  `prepare(url)` as argument: a copy of a database that `prepare` filled once |
| `module_database` | module | the same factory, for a database shared by a module's tests |
| `postgres_url` | function | the URL of an empty database |
| `migrated_database` | function | the URL of a database with all tables |
| `databases` | session | the `Databases` behind them |
| `temporal_server` | session | a development server with the search attributes (`.address`, `.ui_url`) |
| `temporal_address` | session | its host:port |
| `temporal_client` | session | a client of that server, with the pydantic data converter |
| `time_skipper` | session | a `TimeSkipper`: timers of workflows that `time_skipper.client` starts fire immediately |
| `stripe_emulator` | module | a running Stripe emulator (`.url`, `.api_key`, `.request_log`) |
| `report_store_url` | function | `file://` URL of an empty folder |
| `scratch` | session | a folder for servers' files |

`PERDURE_TEST_DATABASE_URL` names another PostgreSQL server; its role must be allowed to create databases and roles.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devstack import ports
from devstack.servers.emulator import EmulatorServer
from devstack.servers.postgres import Postgres
from devstack.servers.temporal import TemporalServer, start_headless
from devstack.servers.unprivileged import data_folder, drop_user
from tests.support.databases import Databases, FreshDatabase
from tests.support.isolation import isolate
from tests.support.leave import LeaveAtOnce
from tests.support.roles import create_roles
from tests.support.scratch import scratch_folder
from tests.support.starvation import late_deadlock_detection

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.testing import TimeSkipper


# The folders with the slowest files: they start first, so that none of them runs alone at the end.
LONGEST = ("crash", "e2e", "secrets", "chaos", "deployment", "devstack", "cli")


def pytest_configure(config: pytest.Config) -> None:
    isolate()
    config.pluginmanager.register(LeaveAtOnce(), "leave-at-once")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests that need servers, and order all tests.

    Separate servers keep their files in `scratch`; the fixture `emulator` runs in the test's process.
    """
    for item in items:
        if {"scratch", "emulator"} & set(item.fixturenames):
            item.add_marker(pytest.mark.servers)
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
async def databases(scratch: Path) -> AsyncIterator[Databases]:
    if url := os.environ.get("PERDURE_TEST_DATABASE_URL"):
        await create_roles(url)
        given = Databases(url)
        yield given
        await given.drop_all()
        return
    folder = data_folder(scratch / "postgres", "tests", drop_user())

    def make(port: int) -> Postgres:
        return Postgres(folder, port, "for-tests-only", scratch / "postgres.log", durable=False)

    server = await ports.start_on_a_port(make)
    try:
        await create_roles(server.url("postgres"))
        yield Databases(server.url("postgres"))
    finally:
        server.child.stop_signal = signal.SIGQUIT  # no checkpoint: nothing is kept
        await server.stop()


@pytest.fixture
async def fresh_database(databases: Databases) -> AsyncIterator[FreshDatabase]:
    async with databases.several() as fresh:
        yield fresh


@pytest.fixture(scope="module")
async def module_database(databases: Databases) -> AsyncIterator[FreshDatabase]:
    async with databases.several() as fresh:
        yield fresh


@pytest.fixture
async def postgres_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
async def migrated_database(fresh_database: FreshDatabase) -> str:
    from storage.postgres.upgrade import upgrade

    return await fresh_database(upgrade)


@pytest.fixture(scope="session")
async def temporal_server(scratch: Path) -> AsyncIterator[TemporalServer]:
    from tests.support.namespaces import AT_ONCE

    skipping = ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true")
    server = await start_headless(scratch / "temporal.log", extra=(*skipping, *AT_ONCE))
    yield server
    server.child.kill()  # nothing is kept


@pytest.fixture(scope="session")
def temporal_address(temporal_server: TemporalServer) -> str:
    return temporal_server.address


@pytest.fixture(scope="session")
async def temporal_client(temporal_server: TemporalServer) -> AsyncIterator[Client]:
    from temporalio.client import Client
    from temporalio.contrib.pydantic import pydantic_data_converter

    with late_deadlock_detection():
        yield await Client.connect(temporal_server.address, data_converter=pydantic_data_converter)


@pytest.fixture(scope="session")
def time_skipper(temporal_client: Client) -> TimeSkipper:
    from temporalio.testing import TimeSkipper

    return TimeSkipper(temporal_client)


@pytest.fixture(scope="module")
async def stripe_emulator(scratch: Path, request: pytest.FixtureRequest) -> AsyncIterator[EmulatorServer]:
    folder = scratch / f"stripe-{request.node.nodeid}".replace("/", "-")
    folder.mkdir()

    def make(port: int) -> EmulatorServer:
        return EmulatorServer(folder, port, folder / "log", "sk_test_for_tests_only")

    emulator = await ports.start_on_a_port(make)
    yield emulator
    await emulator.stop()


@pytest.fixture
def report_store_url(tmp_path: Path) -> str:
    folder = tmp_path / "reports"
    folder.mkdir()
    return folder.as_uri()
