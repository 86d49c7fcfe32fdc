from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from devstack.emulator import StripeEmulator
from storage.upgrade import upgrade
from tests.support.databases import FreshDatabase
from tests.support.histories import record_histories
from tests.support.system import System, running_system


async def migrated(url: str) -> None:
    await upgrade(url)


@pytest.fixture
async def system(
    temporal_client: Client,
    fresh_database: FreshDatabase,
    stripe_emulator: StripeEmulator,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[System]:
    url = await fresh_database(migrated)
    async with running_system(temporal_client, url, stripe_emulator, tmp_path) as running:
        yield running
        shape = request.node.get_closest_marker("history")
        folder = os.environ.get("RECORD_HISTORIES")
        if shape and folder:
            await record_histories(running.client, Path(folder), shape.args[0])
