"""Copies of a filled database on a server of their own, so that every run of a claim starts from the same state."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from bench import floor, usage
from bench.claim_run import ClaimRun
from bench.processes import Watch
from bench.scratch import folder
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade

_MOST_BY_WAL = 1_000_000
"""Instances up to which a database is copied through the WAL, which leaves its pages in memory."""


@dataclass(frozen=True)
class Cost:
    """A run with PostgreSQL's CPU seconds for it."""

    run: ClaimRun
    postgres_cpu: float

    @property
    def cpu(self) -> float:
        """CPU seconds of the run and PostgreSQL together."""
        return self.run.claim_cpu + self.run.publish_cpu + self.postgres_cpu


@asynccontextmanager
async def claim_bench() -> AsyncIterator[ClaimBench]:
    """Run a server for as long as the block lasts."""
    with folder() as scratch:
        place = data_folder(scratch / "postgres", "bench", drop_user())
        server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
        try:
            yield ClaimBench(server, scratch)
        finally:
            await server.stop()


class ClaimBench:
    """Copies of a filled database, so that every run starts from the same state."""

    def __init__(self, server: Postgres, scratch: Path) -> None:
        self._server = server
        self._scratch = scratch
        self._runs = 0
        self._large: set[str] = set()

    async def template(self, instances: int, *, segmented: bool = False) -> str:
        """Create a filled database, one in ten of its instances with segments or none, and return its name."""
        name = f"filled_{instances}_{segmented}"
        if instances > _MOST_BY_WAL:
            self._large.add(name)
        await self._execute(f'CREATE DATABASE "{name}"')
        await upgrade(self._server.url(name))
        await usage.fill(self._server.url(name), instances, segmented=segmented)
        return name

    async def run(self, mode: str, template: str, *, former: bool = False) -> tuple[Cost, tuple[int, int]]:
        """Run once on a fresh copy. Return the cost, and the number of claims and their microseconds afterwards.

        With `former`, under the constraint until revision 0010.
        """
        self._runs += 1
        name = f"run_{self._runs}"
        strategy = "file_copy" if template in self._large else "wal_log"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY {strategy}')
        if former:
            await floor.restore_former_constraint(self._server.url(name))
        await self._execute("CHECKPOINT")
        reports = (self._scratch / name).as_uri()
        watch = Watch(self._server.child.pid)
        with watch.watching():
            command = [sys.executable, "-m", "bench.claim_run", mode, self._server.url(name), reports]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{mode}: {done.stderr[-2000:]}")
        total = await floor.total(self._server.url(name))
        await self.drop(name)
        return Cost(ClaimRun(**json.loads(done.stdout)), watch.costs()["postgres"].cpu_seconds), total

    async def drop(self, name: str) -> None:
        """Drop a database."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server.url(DATABASE))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
