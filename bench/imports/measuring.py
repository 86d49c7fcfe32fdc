"""Measure `perdure instances import`, compared with COPY into the same tables in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from bench import usage
from bench.claim_run import RATES
from bench.figures import Figure, at_most
from bench.imports.files import path_of
from bench.processes import Watch
from bench.scratch import folder
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade

PART = "imports"
_PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
_ACCOUNTS = 1000
_SMALLER = 5
_MOST_SECONDS_A_MILLION = 90
_MOST_MIB = 400
_GROWTH = 1.3
_TIMES_THE_COPY = 3
_FILLED = "filled"
_TABLES = ("workspace_instance", "usage_fact")


@dataclass(frozen=True)
class _ImportCost:
    """Seconds and CPU seconds, of the command and of PostgreSQL, and the command's peak resident memory in MiB."""

    seconds: float
    client_cpu: float
    postgres_cpu: float
    peak_mib: float


def measure(rows: int) -> list[Figure]:
    """Import `rows` rows from each kind of file, twice, and a fifth of them once."""
    return asyncio.run(_measure(rows))


async def _measure(rows: int) -> list[Figure]:
    with folder() as scratch:
        for number in (rows, rows // _SMALLER):
            command = [sys.executable, "-m", "bench.imports.files", str(scratch), str(number), str(_ACCOUNTS)]
            await asyncio.to_thread(subprocess.run, command, check=True)
        user = drop_user()
        place = data_folder(scratch / "postgres", "bench", user)
        server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
        try:
            bench = _Imports(server, scratch)
            await bench.prepare()
            figures = []
            for kind in ("csv", "parquet"):
                for timed in (False, True):
                    figures += await _figures(bench, rows, kind, timed=timed)
            return figures
        finally:
            await server.stop()


async def _figures(bench: _Imports, rows: int, kind: str, *, timed: bool) -> list[Figure]:
    small = rows // _SMALLER
    async with bench.database() as name:
        smaller = await bench.run(name, path_of(bench.scratch, small, kind, timed=timed), f"{small} inserted")
    async with bench.database() as name:
        file = path_of(bench.scratch, rows, kind, timed=timed)
        new = await bench.run(name, file, f"{rows} inserted")
        again = await bench.run(name, file, f"{rows} unchanged")
        copied = await bench.copy(name)
    what = f"{kind}{' with updated_at' if timed else ''}"
    most = max(1, _MOST_SECONDS_A_MILLION * rows / 1_000_000)
    times = new.postgres_cpu / max(copied, 0.01)
    growth = max(new.peak_mib, again.peak_mib) / smaller.peak_mib
    peak = max(new.peak_mib, again.peak_mib)
    return [
        Figure(PART, f"{what}, new", new.seconds, "s", at_most(most), note=_note(rows, new)),
        Figure(PART, f"{what}, again", again.seconds, "s", at_most(most), note=_note(rows, again)),
        Figure(
            PART, f"{what}, CPU of PostgreSQL / COPY", times, "×", at_most(_TIMES_THE_COPY),
            note=f"COPY of the same rows: {copied:.1f} s of CPU",
        ),
        Figure(PART, f"{what}, peak memory", peak, "MiB", at_most(_MOST_MIB), note="of the command"),
        Figure(
            PART, f"{what}, {_SMALLER} times the rows", growth, "× the memory", at_most(_GROWTH),
            note=f"{small:,} rows: {smaller.peak_mib:.0f} MiB",
        ),
    ]  # fmt: skip


def _note(rows: int, cost: _ImportCost) -> str:
    return f"{rows:,} rows; CPU {cost.client_cpu:.1f} + {cost.postgres_cpu:.1f} s; load {os.getloadavg()[0]:.1f}"


class _Imports:
    """Databases with accounts alone, into which files are imported by the command line."""

    def __init__(self, server: Postgres, scratch: Path) -> None:
        self._server = server
        self.scratch = scratch
        self._number = 0

    async def prepare(self) -> None:
        """Create the database of which every import gets a copy."""
        await self._execute(DATABASE, f"CREATE DATABASE {_FILLED}")
        await upgrade(self._server.url(_FILLED))
        await usage.fill_accounts(self._server.url(_FILLED), _ACCOUNTS)

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Yield the name of a database with accounts and without instances."""
        self._number += 1
        name = f"run_{self._number}"
        await self._execute(DATABASE, f"CREATE DATABASE {name} TEMPLATE {_FILLED}")
        try:
            yield name
        finally:
            await self._execute(DATABASE, f"DROP DATABASE {name} WITH (FORCE)")

    async def run(self, database: str, file: Path, expected: str) -> _ImportCost:
        """Import a file by the command line, and check what it says."""
        await self._execute(DATABASE, "CHECKPOINT")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PERDURE_ENVIRONMENT_ONLY": "1",
            "DATABASE_URL": self._server.url(database),
            "RATE_CARD": str(RATES),
        }
        watch = Watch(self._server.child.pid)
        with watch.watching():
            cost = await asyncio.to_thread(_command, ["instances", "import", str(file)], environment, expected)
        return replace(cost, postgres_cpu=watch.costs()["postgres"].cpu_seconds)

    async def copy(self, database: str) -> float:
        """COPY the rows of a database into another. Return PostgreSQL's CPU seconds."""
        files = {table: self.scratch / f"{table}.copy" for table in _TABLES}
        source = await asyncpg.connect(self._server.url(database))
        try:
            for table, file in files.items():
                await source.copy_from_table(table, output=file)
        finally:
            await source.close()
        async with self.database() as name:
            await self._execute(DATABASE, "CHECKPOINT")
            connection = await asyncpg.connect(self._server.url(name))
            watch = Watch(self._server.child.pid)
            try:
                with watch.watching():
                    for table, file in files.items():
                        await connection.copy_to_table(table, source=file)
            finally:
                await connection.close()
        return watch.costs()["postgres"].cpu_seconds

    async def _execute(self, database: str, statement: str) -> None:
        connection = await asyncpg.connect(self._server.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _command(arguments: list[str], environment: dict[str, str], expected: str) -> _ImportCost:
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        command = subprocess.Popen([*_PERDURE, *arguments], env=environment, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(command.pid, 0)
        seconds = time.perf_counter() - started
        said.seek(0)
        text = said.read().decode()
    command.returncode = os.waitstatus_to_exitcode(status)
    if command.returncode or expected not in text:
        raise RuntimeError(f"{' '.join(arguments)} ended with {command.returncode}: {text[-2000:]}")
    return _ImportCost(seconds, used.ru_utime + used.ru_stime, 0, used.ru_maxrss / 1024)
