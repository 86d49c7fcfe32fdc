"""One run of a scenario, with its own database, namespace, report store and Stripe; its worker is killed on order."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from campaigns.crash import books
from campaigns.crash.fleet import Fleet, Process, running_fleet
from campaigns.crash.points import Log
from devstack import ports
from devstack.servers.emulator import EmulatorServer
from devstack.servers.temporal import TemporalServer, start_headless
from storage.postgres.upgrade import upgrade
from tests.support.databases import Databases
from tests.support.namespaces import AT_ONCE
from tests.support.system import System, running_system
from tests.support.until import PATIENCE, until

API_KEY = "sk_test_for_tests_only"
_STAGES_A_SERVER = 60


@dataclass(frozen=True)
class Scenario:
    """A course of actions by people, usage and Stripe, played until nothing more happens."""

    name: str
    script: Callable[[Stage], Awaitable[None]]
    settings: Mapping[str, str] = field(default_factory=dict)
    like: str = ""
    """A scenario with the same beginning: the writes that both share are killed only in that scenario."""


@dataclass
class Ground:
    """The servers and folders that all stages share."""

    temporals: Temporals
    databases: Databases
    fleet: Fleet
    folder: Path
    template: str
    """The URL of a database with all tables."""
    stages: int = 0

    def temporal(self) -> AbstractAsyncContextManager[Client]:
        """Lend a client of a Temporal server, on which the stage makes its namespace."""
        return self.temporals.lend()


@dataclass
class Played:
    """The result of a run. `points`: all passed points; `error`: why the run did not finish."""

    killed: list[str]
    points: list[str]
    books: dict[str, list[str]]
    faults: list[str]
    ran: set[str]
    registered: set[str]
    error: str = ""


@dataclass
class Stage:
    """A system whose worker is a separate process."""

    system: System
    ground: Ground
    env: dict[str, str]
    log: Log
    points: tuple[str, ...]
    folder: Path
    _watches: list[asyncio.Task[None]] = field(default_factory=list)
    _processes: dict[str, Process] = field(default_factory=dict)
    _commands: int = 0

    async def keep(self, *arguments: str, **env: str) -> None:
        """Run this process, and restart it whenever it kills itself."""
        self._watches.append(asyncio.create_task(self._watch(arguments, env)))

    async def perdure(self, *arguments: object, if_done: int = 0) -> None:
        """Run a command to its end; repeat it whenever it kills itself, as a person would.

        After a kill, the command can find that its earlier work is still running, and ask the person to retry later.

        Args:
            if_done: the status of a repetition that finds all of its work done.
        """
        self._commands += 1
        execution, killed = str(self._commands), False

        async def done() -> bool:
            nonlocal killed
            while (status := await (await self._start(arguments, {}, execution)).status) == -signal.SIGKILL:
                killed = True
            assert killed or status == 0, f"perdure {arguments}: {self.output()}"
            return status == 0 or (killed and status == if_done)

        try:
            await until(done, 40)
        except AssertionError:
            raise AssertionError(f"perdure {arguments}, repeated: {self.output()}") from None

    async def close(self) -> None:
        for watch in self._watches:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        for process in self._processes.values():
            await self.ground.fleet.stop(process)

    def failed(self) -> str | None:
        """Return why a process ended by itself, or None if none did."""
        for watch in self._watches:
            if watch.done() and not watch.cancelled() and (error := watch.exception()):
                return str(error)
        return None

    def output(self) -> str:
        """Return the last lines of its processes' output."""
        path = self.folder / "output"
        return "\n".join(path.read_text().splitlines()[-30:]) if path.exists() else ""

    async def _watch(self, arguments: tuple[str, ...], env: dict[str, str]) -> None:
        while True:
            process = self._processes[" ".join(arguments)] = await self._start(arguments, env)
            status = await asyncio.shield(process.status)
            if status != -signal.SIGKILL:
                raise AssertionError(f"perdure {arguments} ended with {status}: {self.output()}")

    async def _start(self, arguments: Iterable[object], env: Mapping[str, str], execution: str = "") -> Process:
        output, env = self.folder / "output", {**self.env, **env}
        return await self.ground.fleet.start(arguments, env, self.log.path, self.points, output, execution)

    async def rest(self, *running: str) -> None:
        """Wait until Stripe has delivered everything and only these workflows run."""
        wanted = sorted(running)
        await self.system.admin("flush_webhooks", {"retry_now": True})

        async def still() -> bool:
            return sorted(await books.running(self.system)) == wanted

        async def for_good() -> bool:
            for _ in range(3):  # Temporal lists new workflows with a delay
                if not await still():
                    return False
                await asyncio.sleep(0.25)
            return True

        try:
            await until(for_good, 40)
        except AssertionError:
            found = await books.running(self.system)
            raise AssertionError(f"running: {found}, expected: {wanted}") from None


async def play(ground: Ground, scenario: Scenario, points: Iterable[str] = ()) -> Played:
    """Run a scenario, killed once at each of the points."""
    ground.stages += 1
    folder = ground.folder / f"stage-{ground.stages}"
    folder.mkdir()
    points = tuple(points)
    patience = PATIENCE.set(4.0 + len(points) / 2)
    log, error = Log(folder / "log.jsonl"), ""
    found: dict[str, list[str]] = {}
    faults: list[str] = []
    try:
        async with _stage(ground, scenario, points, folder, log) as stage:
            try:
                await _perform(scenario, stage)
                found, faults = await books.books(stage.system), await books.faults(stage.system)
            except Exception:
                error = f"{traceback.format_exc(limit=-4)}\n{stage.failed() or stage.output()}"
    except AssertionError:  # the audit of the books at the end
        error = error or traceback.format_exc(limit=-4)
    finally:
        PATIENCE.reset(patience)
    return Played(log.killed(), log.points(), found, faults, log.ran(), log.registered(), error)


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
    url = await ground.databases.create(ground.template)
    try:
        async with (
            ground.temporal() as client,
            _emulator(ground.fleet, folder) as emulator,
            running_system(client, url, emulator, folder, queues=(), **scenario.settings) as system,
        ):
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
        await ground.databases.drop(url)


@asynccontextmanager
async def _emulator(fleet: Fleet, folder: Path) -> AsyncIterator[EmulatorServer]:
    """Run an emulator for this stage, with its own clock."""
    emulator = EmulatorServer(folder / "stripe", ports.reserve(), folder / "stripe.log", API_KEY)
    emulator.folder.mkdir()
    process = await fleet.start_emulator(map(str, emulator.child.command[4:]), emulator.log)

    async def listens() -> bool:
        return emulator.port_file.exists()

    try:
        await until(listens)
        yield emulator
    finally:
        await fleet.stop(process)


@dataclass
class Temporals:
    """Temporal servers, one after the other: hundreds of stages, a namespace each, are too many for one server."""

    folder: Path
    started: int = 0
    _current: tuple[TemporalServer, Client] | None = None
    _users: dict[str, int] = field(default_factory=dict)
    _lent: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Client]:
        """Yield a client of the present server. An earlier server ends when its last user is done."""
        async with self._lock:
            if self._current is None or self._lent >= _STAGES_A_SERVER:
                self._current, self._lent = await self._start(), 0
            server, client = self._current
            self._lent += 1
            self._users[server.address] = self._users.get(server.address, 0) + 1
        try:
            yield client
        finally:
            self._users[server.address] -= 1
            if not self._users[server.address] and self._current[0] is not server:
                server.child.kill()

    async def _start(self) -> tuple[TemporalServer, Client]:
        """Start a server that reassigns a killed worker's workflow task after two seconds instead of ten."""
        self.started += 1
        timeout = ("--dynamic-config-value", 'history.defaultWorkflowTaskTimeout="2s"')
        log = self.folder / f"temporal-{self.started}.log"
        server = await start_headless(log, extra=(*timeout, *AT_ONCE))
        return server, await Client.connect(server.address, data_converter=pydantic_data_converter)

    def close(self) -> None:
        if self._current is not None:
            self._current[0].child.kill()


@asynccontextmanager
async def prepared(databases: Databases, folder: Path) -> AsyncIterator[Ground]:
    """Yield the servers and folders that stages share."""
    temporals = Temporals(folder)
    async with running_fleet() as fleet:
        template = await databases.template("campaigns.crash", upgrade)
        try:
            yield Ground(temporals, databases, fleet, folder, template)
        finally:
            temporals.close()
