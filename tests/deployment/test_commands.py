"""Every command of the compose file exists, starts with the environment given there, passes its own health check, and
stops on SIGTERM with status 0."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]
import pytest

from devstack import ports
from devstack.servers.temporal import TemporalServer, start_headless
from storage.postgres.roles import API, BILLING, CONSOLE, INGEST, OPERATOR, READER
from tests.deployment import compose_spec
from tests.support.roles import as_role

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[2]
PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
SERVICES: dict[str, dict[str, Any]] = compose_spec.interpolate(compose_spec.read(ROOT / "docker-compose.yml"), {})[
    "services"
]
COMMANDS = {name: service["command"] for name, service in SERVICES.items() if service["image"].startswith("perdure:")}
SERVES = ("worker-billing", "worker-stripe", "worker-sources", "webhook", "api", "metrics", "console")
WITH_DATABASE = ("worker-billing", "worker-sources", "api", "metrics", "console")
SECONDS = 120.0
RATES = """
[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "0.1666666667" }
price_per_credit = { usd = "0.036" }
"""


class Containers:
    """The services' environments, with the paths in the containers replaced by local ones."""

    def __init__(self, folder: Path, temporal_address: str, database_url: str) -> None:
        self.folder = folder
        self.secrets = {
            "database_url": database_url,
            "billing_database_url": as_role(database_url, BILLING),
            "operator_database_url": as_role(database_url, OPERATOR),
            "ingest_database_url": as_role(database_url, INGEST),
            "api_database_url": as_role(database_url, API),
            "reader_database_url": as_role(database_url, READER),
            "console_database_url": as_role(database_url, CONSOLE),
            "console_session_key": "a-session-key-of-at-least-32-characters",
            "stripe_api_key": "sk_test_for_tests_only",
            "stripe_webhook_secret": "whsec_for_tests_only",
        }
        self.temporal_address = temporal_address
        self.port, self.metrics_port = ports.reserve(), ports.reserve()
        (folder / "rates.toml").write_text(RATES)
        shutil.copy(ROOT / "deploy/sources.toml", folder)
        (folder / "reports").mkdir()
        for name, secret in self.secrets.items():
            (folder / name).write_text(secret + "\n")

    def environment(self, service: str, **changed: str) -> dict[str, str]:
        """Return the environment that the compose file gives the service, and the image gives all services."""
        given = {"PERDURE_ENVIRONMENT_ONLY": "1", **SERVICES[service].get("environment", {})}
        here = {
            "TEMPORAL_ADDRESS": self.temporal_address,
            "REPORT_STORE_URL": (self.folder / "reports").as_uri(),
            "RATE_CARD": str(self.folder / "rates.toml"),
            "SOURCES": str(self.folder / "sources.toml"),
            "WEBHOOK_HOST": "127.0.0.1",
            "WEBHOOK_PORT": str(self.port),
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self.port),
            "MONITOR_HOST": "127.0.0.1",
            "MONITOR_PORT": str(self.port),
            "CONSOLE_HOST": "127.0.0.1",
            "CONSOLE_PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "HEALTH_PORT": str(self.port),
        }
        for name, value in given.items():
            if value.startswith("/run/secrets/"):
                given[name] = str(self.folder / value.removeprefix("/run/secrets/"))
            elif name in here:
                given[name] = here[name]
        return {"PATH": os.environ["PATH"], "TEMPORAL_CONFIG_FILE": os.devnull, **given, **changed}


@pytest.fixture(scope="module")
async def own_temporal(scratch: Path) -> AsyncIterator[TemporalServer]:
    """A separate server: on the shared one, these workers would pick up work that other tests left."""
    server = await start_headless(scratch / "temporal-deployment.log")
    yield server
    server.child.kill()  # it stores nothing


@pytest.fixture
def containers(tmp_path: Path, own_temporal: TemporalServer, postgres_url: str) -> Containers:
    return Containers(tmp_path, own_temporal.address, postgres_url)


@asynccontextmanager
async def started(*command: str, env: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run(*command: str, env: Mapping[str, str]) -> tuple[int | None, str, str]:
    async with started(*command, env=env) as process:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
        return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("service", "foreign"),
    [
        ("worker-stripe", {"sqlalchemy", "asyncpg", "obstore", "storage", "workflows", "activities.postgres"}),
        ("worker-billing", {"stripe", "activities.stripe.client"}),
    ],
)
async def test_a_worker_imports_the_side_that_it_serves_alone(
    containers: Containers, service: str, foreign: set[str]
) -> None:
    status, _, err = await run(*PERDURE, *COMMANDS["migrate"], env=containers.environment("migrate"))
    assert status == 0, err
    imported: set[str] = set()
    command = (PERDURE[0], "-X", "importtime", *PERDURE[1:], *COMMANDS[service])  # each import is a line of stderr
    async with started(*command, env=containers.environment(service, LOG_LEVEL="INFO")) as process:
        assert process.stderr is not None
        async with asyncio.timeout(SECONDS):
            while "serving" not in (line := (await process.stderr.readline()).decode()):
                assert line, "the process has ended"
                imported.add(line.rpartition("|")[2].strip())
        process.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode == 0, log.decode()
    assert {"worker", f"activities.{'stripe' if service == 'worker-stripe' else 'postgres'}"} <= imported
    assert not foreign & imported


@pytest.mark.parametrize("service", COMMANDS)
async def test_the_command_exists(service: str) -> None:
    arguments = [argument for argument in COMMANDS[service] if argument != "--help"]
    status, out, _ = await run(*PERDURE, *arguments, "--help", env={"PATH": os.environ["PATH"]})
    assert status == 0
    assert "Usage: " in out


async def _well(service: str, port: int) -> tuple[int | None, str]:
    check = SERVICES[service]["healthcheck"]["test"]
    assert check[:2] == ["CMD", "python"]
    script, url = check[2:]
    here = urlsplit(url)._replace(netloc=f"127.0.0.1:{port}").geturl()
    status, out, err = await run(
        sys.executable, str(ROOT / "deploy" / Path(script).name), here, env={"PATH": os.environ["PATH"]}
    )
    return status, out + err


def connections(pid: int, database_url: str) -> list[int]:
    """Return the local ports of the process's connections to the database server."""
    server = urlsplit(database_url).port
    open_ones = psutil.Process(pid).net_connections("tcp")
    return [one.laddr.port for one in open_ones if one.raddr and one.raddr.port == server]


@pytest.mark.parametrize("service", SERVES)
async def test_it_serves_until_it_is_asked_to_stop(containers: Containers, service: str) -> None:
    status, _, err = await run(*PERDURE, *COMMANDS["migrate"], env=containers.environment("migrate"))
    assert status == 0, err
    environment = containers.environment(service)
    has_database = "DATABASE_URL_FILE" in environment
    assert has_database == (service in WITH_DATABASE)
    if not has_database:  # even with a DATABASE_URL, it does not connect
        environment["DATABASE_URL"] = containers.secrets["database_url"]
    async with started(*PERDURE, *COMMANDS[service], env=environment) as process:
        assert (await _well(service, containers.port))[0] == 1, "healthy before it serves"
        give_up = asyncio.get_running_loop().time() + SECONDS
        while (health := await _well(service, containers.port))[0] != 0:
            assert process.returncode is None, (await process.communicate())[1].decode()
            assert asyncio.get_running_loop().time() < give_up, health
            await asyncio.sleep(0.1)
        if service in ("api", "metrics", "console"):  # connects once it is asked
            await asyncio.to_thread(urlopen, f"http://127.0.0.1:{containers.port}/readyz")
        assert bool(connections(process.pid, containers.secrets["database_url"])) == has_database
        process.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode == 0, log.decode()
        events = [json.loads(line) for line in log.decode().splitlines()]
        assert events != []
        assert not any("exception" in event for event in events)


async def test_the_schedule_is_set(containers: Containers) -> None:
    from contracts.workflow_ids import MONTHLY_SCHEDULE

    status, _, err = await run(*PERDURE, *COMMANDS["migrate"], env=containers.environment("migrate"))
    assert status == 0, err
    status, out, err = await run(*PERDURE, *COMMANDS["schedule"], env=containers.environment("schedule"))
    assert (status, err) == (0, "")
    assert MONTHLY_SCHEDULE in out


@pytest.mark.parametrize(
    ("service", "secret", "says"),
    [
        ("migrate", "database_url", "DATABASE_URL is not set"),
        ("worker-billing", "billing_database_url", "DATABASE_URL is not set"),
        ("worker-stripe", "stripe_api_key", "STRIPE_API_KEY is not set"),
        ("webhook", "stripe_webhook_secret", "STRIPE_WEBHOOK_SECRET is not set"),
        ("worker-sources", "ingest_database_url", "DATABASE_URL is not set"),
        ("api", "api_database_url", "DATABASE_URL is not set"),
        ("metrics", "reader_database_url", "DATABASE_URL is not set"),
        ("console", "console_database_url", "DATABASE_URL is not set"),
    ],
)
@pytest.mark.parametrize("how", ["empty", "absent"])
async def test_without_its_secret_it_says_so_in_one_line(
    containers: Containers, service: str, secret: str, says: str, how: str
) -> None:
    environment = containers.environment(service)
    setting = says.partition(" ")[0]
    if how == "empty":  # as deploy/init-secrets leaves it
        (containers.folder / secret).write_text("\n")
        says = f"{setting}_FILE: {containers.folder / secret} is empty"
    else:
        del environment[f"{setting}_FILE"]
    status, out, err = await run(*PERDURE, *COMMANDS[service], env=environment)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("worker",), ("file:///etc/passwd",), ("http://x/", "http://x/")])
async def test_the_health_check_refuses_to_check_nothing(arguments: tuple[str, ...]) -> None:
    status, _, err = await run(
        sys.executable, str(ROOT / "deploy/healthcheck.py"), *arguments, env={"PATH": os.environ["PATH"]}
    )
    assert status == 2
    assert err.startswith("usage:")


async def test_a_process_that_does_not_answer_is_not_well() -> None:
    url = f"http://127.0.0.1:{ports.reserve()}/readyz"
    status, out, _ = await run(
        sys.executable, str(ROOT / "deploy/healthcheck.py"), url, env={"PATH": os.environ["PATH"]}
    )
    assert status == 1
    assert f"{url} does not answer" in out
