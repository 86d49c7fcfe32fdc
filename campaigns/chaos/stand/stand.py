"""One campaign's processes: started together, killed and restarted one by one, ended at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]

from campaigns.chaos.stand.forks import ForkedChild
from campaigns.chaos.stand.live import DATABASE_ERRORS, LIVE_PRODUCT, LiveParts
from campaigns.chaos.stand.templates import ROLES, Templates, copy_templates, postgres_at
from devstack import ports
from devstack.errors import StackError
from devstack.processes import Child
from devstack.servers.emulator import EmulatorServer
from devstack.servers.product import COMMANDS, NAMES, PERDURE, product_child, start_http, start_worker
from devstack.servers.temporal import TemporalServer, temporal_ports
from tests.support.isolation import SAFE_DEFAULTS_OFF

API_KEY = "sk_test_for_chaos_only"
BILLING = ("billing-a", "billing-b")
PRODUCT = (*BILLING, "stripe", "webhook")
PARTS = (*PRODUCT, "postgres", "temporal")
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
# Shorter waits than in production, so that a storm of a few seconds reaches the steps after them.
_HASTE = {"FINALIZATION_POLL_SECONDS": "4", "LOG_LEVEL": "WARNING", "STRIPE_INVOICES_PER_SECOND": "200"}


def bare_environment() -> dict[str, str]:
    """Return this shell's environment without any settings of Perdure, Temporal or Stripe."""
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED}
    fixed = {"PERDURE_ENVIRONMENT_ONLY": "1", "TEMPORAL_CONFIG_FILE": os.devnull, "PYTHONUNBUFFERED": "1"}
    return {**kept, **fixed, **SAFE_DEFAULTS_OFF}


@dataclass
class Stand:
    """All parts of one campaign, in its folder. Every part except Stripe can be killed at any time.

    `settings`: of the product, by their names in the environment, besides those that every campaign has. `arrives`:
    whether usage arrives by itself, with the parts that this needs.
    """

    folder: Path
    settings: dict[str, str]
    templates: Templates
    arrives: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    _parts: dict[str, Child] = field(default_factory=dict)
    _starts: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _calm: bool = True

    def __post_init__(self) -> None:
        logs = self.folder / "logs"
        logs.mkdir()
        postgres, temporal = copy_templates(self.templates, self.folder)
        self.postgres = postgres_at(postgres, logs / "postgres.log")
        self.temporal = TemporalServer(temporal_ports(ports.reserve()), logs / "temporal.log", temporal, headless=True)
        self.emulator = EmulatorServer(
            self.folder / "stripe",
            ports.reserve(),
            logs / "emulator.log",
            API_KEY,
            env=bare_environment(),
            # Search finds nothing in time, the worst case in Stripe: objects are found by listing and by keys.
            extra=("--webhook-retry-base", "0.3", "--search-lag", "600"),
        )
        self.reports = self.folder / "reports"
        self.logs = logs
        self.live = LiveParts.make(self.folder, logs, self.templates) if self.arrives else None
        self._processes = (*PRODUCT, *LIVE_PRODUCT) if self.arrives else PRODUCT

    async def __aenter__(self) -> Stand:
        try:
            await self._start()
        except BaseException:
            self.kill_all()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill_all()

    async def _start(self) -> None:
        port = ports.reserve()
        hook = f"http://{ports.HOST}:{port}/stripe/webhook"
        self._register("postgres", self.postgres.child, self.postgres.start)
        self._register("temporal", self.temporal.child, self.temporal.start)
        self._register("emulator", self.emulator.child, self.emulator.start)
        if self.live is not None:
            self._register("product", self.live.product.child, self.live.product.start)
        await asyncio.gather(*(start() for start in self._starts.values()))
        secret = (await self.emulator.register_webhook(hook, {}))["secret"]
        self.environment = {
            **bare_environment(),
            **_HASTE,
            **self.settings,
            "RATE_CARD": str(self.folder / "rates.toml"),
            "DATABASE_URL": self.postgres.url(),
            "REPORT_STORE_URL": self.reports.as_uri(),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": "default",
            "STRIPE_API_KEY": API_KEY,
            "STRIPE_API_BASE": self.emulator.url,
            "STRIPE_MODE": "test",
            "AUDIT_SETTLE_SECONDS": "2",
            "STRIPE_WEBHOOK_SECRET": secret,
            "WEBHOOK_PORT": str(port),
        }
        for name in self._processes:
            self._register_product(name, hook)
        await asyncio.gather(*(self._starts[name]() for name in self._processes))

    def _register(self, name: str, child: Child, start: Callable[[], Awaitable[None]]) -> None:
        self._parts[name], self._starts[name], self._locks[name] = child, start, asyncio.Lock()

    def _register_product(self, name: str, hook: str) -> None:
        kind = name.partition("-")[0]
        child = self._product(kind, self.logs / f"{name}.log")

        async def start() -> None:
            if kind == "webhook":
                await start_http(child, urljoin(hook, "/readyz"))
            elif kind == "api" and self.live is not None:
                await start_http(child, f"{self.live.api_url}/healthz")
            elif self._calm:
                await start_worker(child, kind, self.temporal.http_url)
            else:  # a part that it needs can be down too
                child.start()

        self._register(name, child, start)

    async def kill(self, name: str, down_seconds: float) -> None:
        """SIGKILL a part with all its processes, and start it again after `down_seconds`."""
        async with self._locks[name]:
            self.kills[name] = self.kills.get(name, 0) + 1
            kill_tree(self._parts[name])
            await asyncio.sleep(down_seconds)
            await self._starts[name]()

    @contextlib.asynccontextmanager
    async def storm(self) -> Any:
        """While the block runs, restart parts that end by themselves because a part that they need is down."""
        self._calm = False
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._calm = True
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            for name in self._processes:
                await self._revive(name)

    async def _watch(self) -> None:
        while True:
            for name in self._processes:
                if not self._locks[name].locked():
                    await self._revive(name)
            await asyncio.sleep(0.3)

    async def _revive(self, name: str) -> None:
        async with self._locks[name]:
            if not self._parts[name].running:
                await self._starts[name]()

    async def cut(self, name: str) -> None:
        """End all connections of a part to its database, or of all to the product's, if that runs."""
        role = ROLES.get(name)
        url = self.postgres.url() if role else self.live.product.url() if self.live else ""
        whose = f"usename = '{role}'" if role else "pid <> pg_backend_pid()"
        with contextlib.suppress(*DATABASE_ERRORS):
            connection = await asyncpg.connect(url, timeout=5)
            try:
                await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {whose}")
            finally:
                connection.terminate()

    def kill_all(self) -> None:
        """Kill all parts."""
        for name in (*self._processes, "emulator", "temporal", "postgres", "product"):
            if name in self._parts:
                kill_tree(self._parts[name])

    def running(self) -> dict[str, bool]:
        """Return whether each part runs."""
        return {name: child.running for name, child in self._parts.items()}

    async def perdure(self, *command: str, timeout_seconds: float = 120) -> tuple[int, str, str]:
        """Run a command of the product. Returns its exit status, standard output and standard error."""
        out = self.logs / f"{time.monotonic_ns()}-{'-'.join(command[:2])}.out"
        errors = out.with_suffix(".err")
        child: Child
        if self.templates.nursery is not None:
            child = ForkedChild(self.templates.nursery, command[0], [*command], out, self.environment, errors)
        else:
            redirect = ("/bin/sh", "-c", 'err=$1; shift; exec "$@" 2>"$err"', "sh", str(errors))
            child = Child(command[0], [*redirect, *PERDURE, *command], out, env=self.environment)
        child.start()
        try:
            status = await asyncio.wait_for(child.wait(), timeout_seconds)
        except TimeoutError:
            status = -int(signal.SIGKILL)
        finally:
            child.kill()
        reported, complained = (path.read_text() if path.exists() else "" for path in (out, errors))
        return status, reported, complained

    def _product(self, kind: str, log: Path) -> Child:
        environment = self.environment
        if self.live is not None:
            environment = self.live.environment(kind, environment, self.postgres)
        if self.templates.nursery is None:
            return product_child(kind, log, environment)
        return ForkedChild(self.templates.nursery, NAMES[kind], [*COMMANDS[kind]], log, environment)

    async def admin(self, path: str, document: object = None, *, method: str = "POST") -> Any:
        """Call an admin route of the emulator."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.emulator.url}/_emulator/{path}", json=document) as response,
        ):
            if response.status >= 300:
                raise StackError(f"/_emulator/{path}: {await response.text()}")
            return await response.json()


def kill_tree(child: Child) -> None:
    """SIGKILL a child with all its descendants: PostgreSQL's processes lead groups of their own."""
    if not child.running:
        return
    below: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(child.pid).children(recursive=True)
    child.kill()
    for process in below:
        with contextlib.suppress(psutil.Error):
            process.kill()
