"""A worker's health: alive from its start, ready while it polls and its database answers, not while it drains."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg  # type: ignore[import-untyped]
import pytest
from temporalio.client import Client

from devstack import ports
from devstack.servers.temporal import TemporalServer, start_headless
from storage.postgres.roles import BILLING
from storage.postgres.upgrade import upgrade
from tests.support.databases import FreshDatabase
from tests.support.namespaces import new_namespace
from tests.support.roles import as_role
from tests.support.until import until

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[2]


class Served:
    """A worker process with a namespace and a database of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, session: aiohttp.ClientSession) -> None:
        self.process, self._port, self._session = process, port, session

    async def get(self, page: str) -> tuple[int, str]:
        try:
            async with self._session.get(f"http://127.0.0.1:{self._port}/{page}") as response:
                return response.status, await response.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def until(self, status: int, text: str) -> None:
        async def answers() -> bool:
            assert self.process.returncode is None, (await self.process.communicate())[1].decode()
            got = await self.get("readyz")
            return got[0] == status and text in got[1]

        await until(answers)


@pytest.fixture(scope="module")
async def own_temporal(scratch: Path) -> AsyncIterator[TemporalServer]:
    """A server that can be stopped."""
    server = await start_headless(scratch / "temporal-health.log")
    yield server
    server.child.kill()


@pytest.fixture
async def database_url(module_database: FreshDatabase) -> str:
    return await module_database(upgrade)


@pytest.fixture
async def served(
    request: pytest.FixtureRequest, own_temporal: TemporalServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Served]:
    queue: str = request.param
    client = await new_namespace(await Client.connect(own_temporal.address))
    port = ports.reserve()
    environment = {
        "PATH": os.environ["PATH"],
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "HEALTH_PORT": str(port),
        "STRIPE_API_KEY": "sk_test_for_tests_only",
    }
    if queue == "billing":
        (tmp_path / "rates.toml").write_text((ROOT / "devstack/sample/rates.toml").read_text())
        environment |= {
            "DATABASE_URL": as_role(database_url, BILLING),
            "REPORT_STORE_URL": tmp_path.as_uri(),
            "RATE_CARD": str(tmp_path / "rates.toml"),
        }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "starter.cli.main", "worker", "--queue", queue),
        env=environment,
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    async with aiohttp.ClientSession() as session:
        yield Served(process, port, session)
    if process.returncode is None:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("served", ["stripe", "billing"], indirect=True)
async def test_it_is_ready_while_it_polls_and_not_while_it_drains(served: Served) -> None:
    await served.until(200, "ready")
    assert await served.get("livez") == (200, "ok\n")
    assert (await served.get("metrics"))[0] == 404
    served.process.send_signal(signal.SIGTERM)
    seen = set[tuple[int, str]]()
    while served.process.returncode is None and (got := await served.get("readyz"))[0]:
        seen.add(got)
    _, log = await served.process.communicate()
    assert served.process.returncode == 0
    assert seen - {(200, "ready\n")} == {(503, "not ready: draining\n")}
    events = [json.loads(line) for line in log.decode().splitlines()]
    assert [event["event"].split()[0] for event in events if event["logger"] == "perdure.worker"] == [
        "serving",
        "draining:",
        "stopped",
    ]


@pytest.mark.parametrize("served", ["billing"], indirect=True)
async def test_it_is_not_ready_without_its_database(served: Served, database_url: str) -> None:
    await served.until(200, "ready")
    owner = await asyncpg.connect(database_url)
    await owner.execute("ALTER TABLE claim RENAME TO hidden_claim")
    await served.until(503, "not ready: the database cannot be used")
    assert await served.get("livez") == (200, "ok\n")
    await owner.execute("ALTER TABLE hidden_claim RENAME TO claim")
    await owner.close()
    await served.until(200, "ready")


@pytest.mark.parametrize("served", ["stripe"], indirect=True)
async def test_it_is_not_ready_without_temporal(served: Served, own_temporal: TemporalServer) -> None:
    await served.until(200, "ready")
    os.kill(own_temporal.child.pid, signal.SIGSTOP)
    try:
        await served.until(503, "not ready: Temporal does not answer")
        assert await served.get("livez") == (200, "ok\n")
    finally:
        os.kill(own_temporal.child.pid, signal.SIGCONT)
    await served.until(200, "ready")
