"""One run of a scenario: its own database, namespace, report store and Stripe; its worker is killed where it is told."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from devstack import ports
from devstack.emulator import StripeEmulator
from devstack.temporal import TemporalServer, choose_ports
from storage.upgrade import upgrade
from tests.crash import books
from tests.crash.fleet import Fleet, Process, running_fleet
from tests.crash.points import Log
from tests.support.databases import Databases
from tests.support.system import PATIENCE, System, running_system, until

API_KEY = "sk_test_for_tests_only"


@dataclass(frozen=True)
class Scenario:
    """Something that people, usage and Stripe do, from the first step until nothing happens any more."""

    name: str
    script: Callable[[Stage], Awaitable[None]]
    settings: Mapping[str, str] = field(default_factory=dict)
    emulator: tuple[str, ...] = ()


@dataclass
class Ground:
    """What all stages share."""

    client: Client
    databases: Databases
    fleet: Fleet
    folder: Path
    stages: int = 0


@dataclass
class Outcome:
    """What became of a run. `points`: all that were passed; `error`: why it did not come to its end."""

    killed: list[str]
    points: list[str]
    books: dict[str, Any]
    faults: list[str]
    ran: set[str]
    registered: set[str]
    error: str = ""


@dataclass
class Stage:
    """A system whose worker is a process of its own."""

    system: System
    ground: Ground
    env: dict[str, str]
    log: Log
    points: tuple[str, ...]
    folder: Path
    restarts: int = 0
    ends: int = 0
    _watches: list[asyncio.Task[None]] = field(default_factory=list)
    _processes: dict[str, Process] = field(default_factory=dict)

    async def keep(self, *arguments: str, **env: str) -> None:
        """Have this process run, and started again as often as it kills itself."""
        self._watches.append(asyncio.create_task(self._watch(arguments, env)))

    async def perdure(self, *arguments: object) -> None:
        """Run a command to its end, again as often as it kills itself, as a person would."""
        while (status := await (await self._start(arguments, {})).status) == -signal.SIGKILL:
            self.restarts += 1
        assert status == 0, f"perdure {arguments}: {self.output()}"

    async def close(self) -> None:
        for watch in self._watches:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        for process in self._processes.values():
            await self.ground.fleet.stop(process)

    def failed(self) -> str | None:
        """Why a process ended by itself, if one did."""
        for watch in self._watches:
            if watch.done() and not watch.cancelled() and (error := watch.exception()):
                return str(error)
        return None

    def output(self) -> str:
        """The last that its processes said."""
        path = self.folder / "output"
        return "\n".join(path.read_text().splitlines()[-30:]) if path.exists() else ""

    async def _watch(self, arguments: tuple[str, ...], env: dict[str, str]) -> None:
        while True:
            process = self._processes[arguments[0]] = await self._start(arguments, env)
            status = await asyncio.shield(process.status)
            if status != -signal.SIGKILL:
                raise AssertionError(f"perdure {arguments} ended with {status}: {self.output()}")
            self.restarts += 1

    async def _start(self, arguments: Iterable[object], env: Mapping[str, str]) -> Process:
        output = self.folder / "output"
        return await self.ground.fleet.start(arguments, {**self.env, **env}, self.log.path, self.points, output)

    async def rest(self, *running: str) -> None:
        """Wait until Stripe has told all and nothing runs but these workflows."""
        wanted = sorted(running)
        await self.system.admin("flush_webhooks", {"retry_now": True})

        async def still() -> bool:
            return sorted(await books.running(self.system)) == wanted

        async def for_good() -> bool:
            for _ in range(3):  # what has just been started is listed a little later
                if not await still():
                    return False
                await asyncio.sleep(0.25)
            return True

        try:
            await until(for_good, 40)
        except AssertionError:
            found = await books.running(self.system)
            raise AssertionError(f"these run: {found}, not {wanted}") from None


async def play(ground: Ground, scenario: Scenario, points: Iterable[str] = ()) -> Outcome:
    """Run a scenario, killed once at each of the points."""
    ground.stages += 1
    folder = ground.folder / f"stage-{ground.stages}"
    folder.mkdir()
    points = tuple(points)
    patience = PATIENCE.set(2.0 + len(points) / 4)
    log, error = Log(folder / "log.jsonl"), ""
    found: dict[str, Any] = {}
    faults: list[str] = []
    try:
        async with _stage(ground, scenario, points, folder, log) as stage:
            try:
                await _perform(scenario, stage)
                found, faults = await books.books(stage.system), await books.faults(stage.system)
            except Exception:
                error = f"{traceback.format_exc(limit=-4)}\n{stage.failed() or stage.output()}"
    finally:
        PATIENCE.reset(patience)
    return Outcome(log.killed(), log.points(), found, faults, log.ran(), log.registered(), error)


async def _perform(scenario: Scenario, stage: Stage) -> None:
    script = asyncio.ensure_future(scenario.script(stage))
    try:
        while not script.done():
            await asyncio.wait([script], timeout=1)
            if failed := stage.failed():
                raise AssertionError(failed)
        await script
    finally:
        script.cancel()


@asynccontextmanager
async def _stage(
    ground: Ground, scenario: Scenario, points: tuple[str, ...], folder: Path, log: Log
) -> AsyncIterator[Stage]:
    emulator = StripeEmulator(folder / "stripe", ports.choose(), folder / "stripe.log", API_KEY, extra=scenario.emulator)
    url = await ground.databases.create(await ground.databases.template("tests.crash", upgrade))
    (folder / "stripe").mkdir()
    try:
        await emulator.start()
        async with running_system(
            ground.client, url, emulator, folder, queues=(), **scenario.settings
        ) as system:
            env = {
                "DATABASE_URL": url,
                "REPORT_STORE_URL": system.settings.need("report_store_url"),
                "STRIPE_API_KEY": API_KEY,
                "STRIPE_API_BASE": emulator.url,
                "RATE_CARD": str(folder / "rates.toml"),
                "TEMPORAL_ADDRESS": system.client.service_client.config.target_host,
                "TEMPORAL_NAMESPACE": system.client.namespace,
                **{name.upper(): value for name, value in scenario.settings.items()},
            }
            stage = Stage(system, ground, env, log, points, folder)
            await stage.keep("worker")
            try:
                yield stage
            finally:
                await stage.close()
    finally:
        await emulator.stop()
        await ground.databases.drop(url)


@asynccontextmanager
async def impatient_temporal(folder: Path) -> AsyncIterator[Client]:
    """A Temporal server that gives a killed worker's workflow task out again after two seconds, not ten."""
    timeout = ("--dynamic-config-value", 'history.defaultWorkflowTaskTimeout="2s"')
    server = TemporalServer(choose_ports(), folder / "temporal.log", headless=True, extra=timeout)
    try:
        await server.start()
        yield await Client.connect(server.address, data_converter=pydantic_data_converter)
    finally:
        server.child.kill()


@asynccontextmanager
async def prepared(databases: Databases, folder: Path) -> AsyncIterator[Ground]:
    """Everything that stages share."""
    async with impatient_temporal(folder) as client, running_fleet() as fleet:
        yield Ground(client, databases, fleet, folder)
