"""A source that is read for long continues as a new run, and everybody who asked meanwhile is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from contracts import workflow_ids
from devstack.servers.temporal import start_headless
from temporal.sources import end_source
from tests.arrivals.product import ProductDatabase, may
from tests.e2e.sources.asking import configure, sync
from tests.support.system import System

pytestmark = pytest.mark.waits

_EVENTS = 40  # after which Temporal suggests a new run; by default 4096


@pytest.fixture(scope="module")
async def temporal_client(scratch: Path) -> AsyncIterator[Client]:
    """Yield a client of a server that suggests a new run after few events."""
    soon = f"limit.historyCount.suggestContinueAsNew={_EVENTS}"
    server = await start_headless(scratch / "temporal-sources.log", extra=("--dynamic-config-value", soon))
    try:
        yield await Client.connect(server.address, data_converter=pydantic_data_converter)
    finally:
        server.child.kill()


@pytest.mark.history("source-continued")
async def test_everybody_is_answered(system: System, product: ProductDatabase, tmp_path: Path) -> None:
    source = configure(system, tmp_path, product)
    await product.fill(3, may(2))
    await system.start("sources")
    handle = system.client.get_workflow_handle(workflow_ids.source("product"))
    runs = set()
    for turn in range(8):
        reads = await asyncio.gather(*(sync(system, source, f"{turn}/{n}") for n in range(4)))
        assert [read.rows for read in reads] == [3] * 4
        runs.add((await handle.describe()).run_id)
    assert len(runs) > 1
    assert await end_source(system.client, "product")
