"""A released version's database, upgraded, with its Stripe and its report store, under the current product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from temporalio.client import Client

from devstack import ports
from devstack.servers.emulator import EmulatorServer
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade
from storage.rekeying.claims import rekey_claims
from storage.totals.days import fill_days
from tests.support.databases import FreshDatabase
from tests.support.system import System, running_system
from tests.upgrade.may import OPTIONS
from tests.upgrade.state import RELEASES, Release


@dataclass(frozen=True)
class UpgradedBooks:
    """A filled database after `db upgrade`. `before`: its invoices by key, as the release left them."""

    release: Release
    url: str
    before: dict[str, dict[str, Any]]


@pytest.fixture(params=RELEASES, ids=lambda release: release.revision)
def release(request: pytest.FixtureRequest) -> Release:
    given: Release = request.param
    return given


@pytest.fixture
async def old_database(release: Release, fresh_database: FreshDatabase) -> str:
    """Return the URL of the release's database, before any upgrade."""
    url = await fresh_database()
    await release.fill_database(url)
    return url


@pytest.fixture
async def books(release: Release, old_database: str) -> UpgradedBooks:
    connection = await asyncpg.connect(old_database)
    try:
        rows = await connection.fetch("SELECT key, state, amount, stripe_invoice_id, report_id FROM invoice")
    finally:
        await connection.close()
    await upgrade(old_database)
    database = Database(old_database, 1)
    await rekey_claims(database)  # as `perdure db upgrade` does
    await fill_days(database)
    await database.close()
    return UpgradedBooks(release, old_database, {row["key"]: dict(row) for row in rows})


@pytest.fixture
async def system(
    books: UpgradedBooks, temporal_client: Client, scratch: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[System]:
    """Run the current product on what the release left. Temporal is empty, as after a loss."""
    folder = scratch / f"upgraded-{request.node.name}"
    folder.mkdir()
    books.release.fill_stripe(folder / "emulator.db")
    books.release.fill_reports(tmp_path / "reports")

    def make(port: int) -> EmulatorServer:
        return EmulatorServer(folder, port, folder / "log", "sk_test_for_tests_only")

    emulator = await ports.start_on_a_port(make)
    try:
        async with running_system(
            temporal_client, books.url, emulator, tmp_path, rate_card=books.release.rate_card, **OPTIONS
        ) as running:
            yield running
    finally:
        await emulator.stop()
