"""The whole product of a module: workers, emulator and a console, in which an operator and a viewer have signed in."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from devstack import ports
from devstack.servers.emulator import EmulatorServer
from starter.cli.status.stored import waiting_terms
from starter.console.app import Console
from starter.console.services import ConsoleServices
from starter.http.server import serving
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from tests.console.acting.forms import Operator
from tests.console.serving import Browser, RunningConsole
from tests.support.system import System, running_system


@pytest.fixture(scope="module")
async def system(
    temporal_client: Client, url: str, stripe_emulator: EmulatorServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder: Path = tmp_path_factory.mktemp("system")
    async with running_system(temporal_client, url, stripe_emulator, folder) as running:
        yield running


@pytest.fixture(scope="module")
async def running(system: System, owner: Database, db: Database) -> AsyncIterator[RunningConsole]:
    terms = functools.partial(waiting_terms, system.settings)
    services = ConsoleServices(db, system.settings, terms, system.client, "0.0.0")
    async with serving(Console(services).server(), ports.HOST, 0) as port:
        yield RunningConsole(f"http://{ports.HOST}:{port}", owner)


@pytest.fixture(scope="module")
async def operator(running: RunningConsole) -> AsyncIterator[Operator]:
    async with running.signed_in(TokenScope.ACT, "jane") as browser:
        yield Operator(browser)


@pytest.fixture(scope="module")
async def viewer(running: RunningConsole) -> AsyncIterator[Browser]:
    async with running.signed_in(TokenScope.VIEW, "vera") as browser:
        yield browser
