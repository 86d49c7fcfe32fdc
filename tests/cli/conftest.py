"""The real `perdure`, each run in its own process.

Each is forked, which saves Python's imports: nine tenths of the time of most commands. The first run of each command
imports what it needs of the product itself, so that no import is missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from temporalio.client import Client

from campaigns.chaos.stand.forks import Nursery
from devstack.servers.emulator import EmulatorServer
from storage.postgres.database import Database
from storage.postgres.roles import OPERATOR
from storage.postgres.upgrade import upgrade
from tests.cli.forking import bare_nursery, nursery
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role
from tests.support.system import System, running_system
from tests.support.until import GIVE_UP_SECONDS

UNREACHABLE_DATABASE = "postgresql://u:secret@127.0.0.1:1/none"


@dataclass(frozen=True)
class CommandResult:
    """The result of running a command."""

    status: int
    out: str
    err: str

    @property
    def summary(self) -> str:
        """The first line of standard output: an import's counts, without its warnings."""
        return self.out.splitlines(keepends=True)[0]

    @property
    def document(self) -> Any:
        """The JSON that the command printed; it must have succeeded."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def document_of_failure(self) -> Any:
        """The JSON that the command printed, although not all is well: `test_exit_statuses` has what each means."""
        assert self.status in (1, 2, 3, 4, 69), self.err
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of the error; standard output must be empty, and there must be no traceback."""
        assert self.status in (1, 2, 3, 69), self
        assert self.out == "", self
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("perdure: "), self.err
        return lines[0].removeprefix("perdure: ")


@dataclass
class Perdure:
    """Runs commands, as in `await perdure("rates", "check", "r.toml")`, in an empty folder with only these settings.

    Commands log in to the tests' databases as `perdure_operator`, as in a deployment.
    """

    cwd: Path
    settings: dict[str, str]

    _run_before: ClassVar[set[tuple[str, ...]]] = set()

    async def __call__(self, *arguments: object, stdin: bytes = b"", **settings: str) -> CommandResult:
        environment = {**os.environ, **self.settings, **settings}
        if environment.get("DATABASE_URL") not in (None, "", UNREACHABLE_DATABASE):
            environment["DATABASE_URL"] = as_role(environment["DATABASE_URL"], OPERATOR)
        given = [str(argument) for argument in arguments]
        command = tuple(given[:2])
        if sys.platform != "linux":
            return await self._executed(given, stdin, environment)
        forking = nursery() if command in self._run_before else bare_nursery()
        self._run_before.add(command)
        return await self._forked(forking, given, stdin, environment)

    async def _forked(
        self, forking: Nursery, arguments: list[str], stdin: bytes, environment: dict[str, str]
    ) -> CommandResult:
        with TemporaryDirectory() as folder:
            given, out, err = (Path(folder) / name for name in ("in", "out", "err"))
            given.write_bytes(stdin)
            pid = forking.fork(arguments, environment, out, err, given, self.cwd)
            try:
                await asyncio.wait_for(_ended(pid), GIVE_UP_SECONDS)
            except BaseException:
                os.killpg(pid, signal.SIGKILL)
                raise
            status = forking.poll(pid)
            assert status is not None
            return CommandResult(status, out.read_text(), err.read_text())

    async def _executed(self, arguments: list[str], stdin: bytes, environment: dict[str, str]) -> CommandResult:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starter.cli.main", *arguments),
            cwd=self.cwd,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), GIVE_UP_SECONDS)
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        assert process.returncode is not None
        return CommandResult(process.returncode, out.decode(), err.decode())


async def _ended(pid: int) -> None:
    ended, process = asyncio.Event(), os.pidfd_open(pid)
    asyncio.get_running_loop().add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(process)
        os.close(process)


@pytest.fixture
def perdure(tmp_path: Path) -> Perdure:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return Perdure(folder, {})


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database(upgrade)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, 2)
    yield database
    await database.close()


@pytest.fixture
async def system(
    temporal_client: Client, database_url: str, stripe_emulator: EmulatorServer, tmp_path: Path, perdure: Perdure
) -> AsyncIterator[System]:
    async with running_system(temporal_client, database_url, stripe_emulator, tmp_path) as running:
        perdure.settings |= {
            "DATABASE_URL": database_url,
            "TEMPORAL_ADDRESS": temporal_client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": running.client.namespace,
        }
        yield running
