from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from devstack.servers.emulator import EmulatorServer
from storage.postgres.upgrade import upgrade
from tests.stripe_emulator.specification import specification
from tests.support.databases import FreshDatabase
from tests.support.histories import record_histories, wanted_shapes
from tests.support.system import System, running_system

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test passed: the histories of a failed one are not recorded."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """While histories are recorded, run only the tests with wanted shapes."""
    folder = os.environ.get("RECORD_HISTORIES")
    if not folder:
        return
    wanted = wanted_shapes(Path(folder), os.environ.get("SHAPES", ""))
    shapes = {item: mark.args[0] for item in items if (mark := item.get_closest_marker("history"))}
    kept = [item for item in items if item in shapes and wanted(shapes[item])]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def requests(system: System, since: int = 0) -> list[dict[str, Any]]:
    """Return the requests that Stripe received, without the first `since`."""
    lines = system.emulator.request_log.read_text().splitlines()
    return [json.loads(line) for line in lines[since:]]


def misfits(sent: list[dict[str, Any]]) -> list[str]:
    """Return accepted requests that violate Stripe's specification; empty if the environment names none."""
    spec = specification()
    if spec is None:
        return []
    return [
        f"{one['method']} {one['target']}: {violation}"
        for one in sent
        if one["status"] == 200 and one["method"] != "DELETE"
        for violation in spec.validator.request(one["method"], one["target"], one["body"], one["headers"])
    ]


@pytest.fixture
async def system(
    temporal_client: Client,
    fresh_database: FreshDatabase,
    stripe_emulator: EmulatorServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[System]:
    url = await fresh_database(upgrade)
    async with running_system(temporal_client, url, stripe_emulator, tmp_path) as running:
        begun = len(requests(running))
        yield running
        for faults in ("faults", "webhook_faults"):  # the emulator serves the module's other tests too
            await running.admin(faults, method="DELETE")
        assert misfits(requests(running, begun)) == []
        shape = request.node.get_closest_marker("history")
        folder = os.environ.get("RECORD_HISTORIES")
        if shape and folder and request.node.stash.get(PASSED, False):
            await record_histories(running.client, Path(folder), shape.args[0])
