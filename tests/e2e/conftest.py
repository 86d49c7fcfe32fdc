from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from devstack.emulator import StripeEmulator
from storage.upgrade import upgrade
from tests.stripe_emulator.specification import specification
from tests.support.databases import FreshDatabase
from tests.support.histories import record_histories
from tests.support.system import System, running_system


def requests(system: System, since: int = 0) -> list[dict[str, Any]]:
    """What Stripe was sent, from a number of requests on."""
    lines = system.emulator.request_log.read_text().splitlines()
    return [json.loads(line) for line in lines[since:]]


def misfits(sent: list[dict[str, Any]]) -> list[str]:
    """What of it was taken and does not fit Stripe's specification; nothing where the environment names none."""
    spec = specification()
    if spec is None:
        return []
    return [
        f"{one['method']} {one['target']}: {violation}"
        for one in sent
        if one["status"] == 200 and one["method"] != "DELETE"
        for violation in spec.validator.request(one["method"], one["target"], one["body"], one["headers"])
    ]


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
        begun = len(requests(running))
        yield running
        assert misfits(requests(running, begun)) == []
        shape = request.node.get_closest_marker("history")
        folder = os.environ.get("RECORD_HISTORIES")
        if shape and folder:
            await record_histories(running.client, Path(folder), shape.args[0])
