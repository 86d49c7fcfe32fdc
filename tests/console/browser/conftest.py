from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser
from temporalio.client import Client

from devstack import ports
from devstack.servers.emulator import EmulatorServer
from settings import Settings
from storage.postgres.upgrade import upgrade
from tests.console.browser.accounts import RATES
from tests.console.browser.chromium import chromium_path, is_wanted, running_chromium
from tests.console.browser.seeding import SeededMonths, seed
from tests.support.databases import Databases
from tests.support.system import running_system


@dataclass(frozen=True)
class Seeded:
    """The seeded months: a database to copy, the settings of what billed them, and a client of its namespace."""

    template: str
    months: SeededMonths
    settings: Settings
    client: Client


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    program = chromium_path()
    if program is None:
        (pytest.fail if is_wanted() else pytest.skip)("Chromium is not installed: apt-get install chromium")
    async with running_chromium(program) as browser:
        yield browser


@pytest.fixture(scope="session")
async def seeded(databases: Databases, temporal_client: Client, scratch: Path) -> Seeded:
    folder = scratch / "console"
    folder.mkdir()

    def make(port: int) -> EmulatorServer:
        cards = ("--customers-have-cards",)
        return EmulatorServer(folder, port, folder / "log", "sk_test_for_tests_only", extra=cards)

    template = await databases.create(await databases.template("upgraded", upgrade))
    emulator = await ports.start_on_a_port(make)
    try:
        async with running_system(
            temporal_client, template, emulator, folder, rate_card=RATES, audit_settle_seconds=0.0
        ) as system:
            months = await seed(system, folder)
    finally:
        await emulator.stop()
    # A database can be copied only while nobody uses it: what billed the months has stopped.
    return Seeded(template, months, system.settings, system.client)
