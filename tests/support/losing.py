"""An operator's actions after a loss, with the real command line, on the system of a test."""

from __future__ import annotations

import json
import os
import sys
from asyncio import create_subprocess_exec, subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from contracts.messages.recovery import AdoptionResult
from starter.cli import recover as command
from storage.postgres.database import Database
from tests.support.databases import Databases
from tests.support.namespaces import new_namespace
from tests.support.system import System, discrepancies


@dataclass(frozen=True)
class RunResult:
    """The result of running the command."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The printed JSON; the command must have succeeded."""
        assert self.status == 0, self.err
        return json.loads(self.out)


async def perdure(system: System, *arguments: object) -> RunResult:
    """Run the real `perdure` with this system's servers."""
    settings = {
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "TEMPORAL_ADDRESS": system.client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": system.client.namespace,
        "DATABASE_URL": system.settings.need("database_url"),
        "REPORT_STORE_URL": system.settings.need("report_store_url"),
        "RATE_CARD": str(system.settings.rate_card),
    }
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "starter.cli.main", *map(str, arguments)),
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return RunResult(process.returncode, out.decode(), err.decode())


async def lose_temporal(system: System) -> None:
    """Replace the namespace, and everything that ran in it, by an empty one for workers, webhook and commands."""
    await system.stop()
    system.client = await new_namespace(system.client)
    system.webhook._client = system.client
    await system.start()


class Backup:
    """A copy of the system's database by `CREATE DATABASE ... TEMPLATE`, equal to a copy of a stopped server."""

    def __init__(self, system: System, databases: Databases) -> None:
        self._system = system
        self._databases = databases
        self._copy: str | None = None

    async def take(self) -> None:
        """Copy the database; the workers are stopped meanwhile."""
        running = tuple(self._system._parts)
        await self._system.stop()
        await self._system.db.close()
        self._copy = await self._databases.create(self._system.settings.need("database_url"))
        await self._system.start(*running)

    async def restore(self) -> None:
        """Switch the system to the copy: later writes are lost. The workers are stopped, as an operator must do."""
        assert self._copy is not None
        await self._system.stop()
        await self._system.db.close()
        self._system.settings = self._system.settings.model_copy(update={"database_url": self._copy})
        self._system.db = Database(self._copy, 5)
        assert urlsplit(self._copy).path != "/"

    async def drop(self) -> None:
        """Audit the books, then drop the copy, at the end of a test: after the system's end it would be too late."""
        await self._system.stop()
        found = await discrepancies(self._system) if self._system.audited else []
        self._system.audited = False
        await self._system.db.close()
        if self._copy is not None:
            await self._databases.drop(self._copy)
        assert found == []


async def recover(system: System, restored_to: datetime | None = None) -> AdoptionResult | None:
    """Do the work of `perdure recover` in this process: a separate process costs a second of CPU."""
    adopted = None
    if restored_to is not None:
        adopted = await command._adopt(system.db, system.client, restored_to, as_json=True)
        if adopted.faults:
            return adopted
    await command._read_events(system.db, system.client, as_json=True)
    await command._start_what_waits(system.db, system.client, run_periods=False, as_json=True)
    return adopted
