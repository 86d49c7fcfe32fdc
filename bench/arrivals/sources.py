"""Measure reading a source: a month of instances in somebody's SQLite file or PostgreSQL, by the product's activity."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from bench import usage
from bench.arrivals.source_run import SourceRun
from bench.figures import Figure, at_most
from bench.imports.files import rows_of
from bench.processes import Watch
from bench.scratch import folder
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade

PART = "sources"
_ACCOUNTS = 1000
_SMALLER = 5
_MOST_SECONDS_A_MILLION = 120
_MOST_MIB = 400
_GROWTH = 1.3
_FILLED = "filled"
_CHUNK = 10_000
_KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_NAMES = (
    *("id", "attribution_id", "workspace_id", "project_id", "owner_id", "workspace_class", "workspace_type"),
    *("creation_time", "started_time", "stopping_time", "stopped_time", "updated_at"),
)
_QUERY = "SELECT * FROM instance_{rows} WHERE updated_at >= :since ORDER BY updated_at, id"
_TABLE = "CREATE TABLE instance_{rows} ({columns})"
_INDEX = "CREATE INDEX instance_{rows}_updated ON instance_{rows} (updated_at, id)"


@dataclass(frozen=True)
class _Read:
    """What a read cost its process, and the CPU seconds of our PostgreSQL."""

    run: SourceRun
    postgres_cpu: float


def measure(rows: int) -> list[Figure]:
    """Read `rows` rows from a database of each kind, twice, and a fifth of them once."""
    return asyncio.run(_measure(rows))


async def _measure(rows: int) -> list[Figure]:
    with folder() as scratch:
        async with _server(scratch, "ours") as ours, _server(scratch, "theirs") as theirs:
            bench = _Sources(ours, scratch / "sources.toml")
            await bench.prepare()
            urls = {"sqlite": f"sqlite:///{scratch / 'product.db'}", "postgresql": theirs.url(DATABASE)}
            bench.describe(urls, (rows, rows // _SMALLER))
            for number in (rows, rows // _SMALLER):
                await asyncio.to_thread(_fill_sqlite, scratch / "product.db", number)
                await _fill_postgres(urls["postgresql"], number)
            return [figure for kind in urls for figure in await _figures(bench, rows, kind)]


async def _figures(bench: _Sources, rows: int, kind: str) -> list[Figure]:
    small = rows // _SMALLER
    async with bench.database() as database:
        smaller = await bench.read(database, f"{kind}-{small}", small)
    async with bench.database() as database:
        new = await bench.read(database, f"{kind}-{rows}", rows)
        await bench.forget_cursors(database)
        again = await bench.read(database, f"{kind}-{rows}", 0)
    what, most = _KINDS[kind], max(1, _MOST_SECONDS_A_MILLION * rows / 1_000_000)
    peak = max(new.run.peak_mib, again.run.peak_mib)
    growth = peak / smaller.run.peak_mib
    return [
        *(
            Figure(PART, f"{what}, {name}", each.run.seconds, "s", at_most(most), note=_note(each))
            for name, each in (("new", new), ("again", again))
        ),
        Figure(PART, f"{what}, peak memory", peak, "MiB", at_most(_MOST_MIB), note="of the reading process"),
        Figure(
            PART, f"{what}, {_SMALLER} times the rows", growth, "× the memory", at_most(_GROWTH),
            note=f"{small:,} rows: {smaller.run.peak_mib:.0f} MiB",
        ),
    ]  # fmt: skip


def _note(read: _Read) -> str:
    load = os.getloadavg()[0]
    return f"{read.run.rows:,} rows; CPU {read.run.cpu:.1f} + {read.postgres_cpu:.1f} s; load {load:.1f}"


@asynccontextmanager
async def _server(scratch: Path, name: str) -> AsyncIterator[Postgres]:
    place = data_folder(scratch / name, "bench", drop_user())
    server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / f"{name}.log"))
    try:
        yield server
    finally:
        await server.stop()


def _fill_sqlite(path: Path, rows: int) -> None:
    """Fill a table of a SQLite file: times are texts without a zone, as most programs write them."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_TABLE.format(rows=rows, columns=", ".join(_NAMES)))
        holders = ", ".join("?" * len(_NAMES))
        connection.executemany(f"INSERT INTO instance_{rows} VALUES ({holders})", _texts(rows))
        connection.execute(_INDEX.format(rows=rows))


def _texts(rows: int) -> Iterator[tuple[str | None, ...]]:
    for row in rows_of(rows, _ACCOUNTS):
        yield tuple(None if value is None else str(value).removesuffix("+00:00") for value in row)


async def _fill_postgres(url: str, rows: int) -> None:
    kinds = [f"{name} {'timestamptz' if name.endswith(('_time', '_at')) else 'text'}" for name in _NAMES]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TABLE.format(rows=rows, columns=", ".join(kinds)))
        records = rows_of(rows, _ACCOUNTS)
        while chunk := list(islice(records, _CHUNK)):
            await connection.copy_records_to_table(f"instance_{rows}", records=chunk)
        await connection.execute(_INDEX.format(rows=rows))
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


class _Sources:
    """Databases of ours with accounts alone, into which sources are read."""

    def __init__(self, server: Postgres, sources: Path) -> None:
        self._server = server
        self._sources = sources
        self._number = 0

    async def prepare(self) -> None:
        """Create the database of which every read gets a copy."""
        await self._execute(DATABASE, f"CREATE DATABASE {_FILLED}")
        await upgrade(self._server.url(_FILLED))
        await usage.fill_accounts(self._server.url(_FILLED), _ACCOUNTS)

    def describe(self, urls: dict[str, str], sizes: tuple[int, ...]) -> None:
        """Write `sources.toml`: a source for each database and number of rows. Servers' URLs are secrets."""
        tables = []
        for kind, url in urls.items():
            secret = self._sources.with_name(kind)
            secret.write_text(url)
            for rows in sizes:
                keys = (f"{kind}-{rows}", "sql", f"file:{secret}", _QUERY.format(rows=rows))
                tables.append('[[source]]\nname = "{}"\nkind = "{}"\nurl = "{}"\nquery = "{}"\n'.format(*keys))
        self._sources.write_text("\n".join(tables))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Yield the name of a database with accounts and without instances."""
        self._number += 1
        name = f"run_{self._number}"
        await self._execute(DATABASE, f"CREATE DATABASE {name} TEMPLATE {_FILLED}")
        try:
            yield name
        finally:
            await self._execute(DATABASE, f"DROP DATABASE {name} WITH (FORCE)")

    async def read(self, database: str, name: str, new: int) -> _Read:
        """Read a source into a database of ours, and check how many of its rows were new."""
        await self._execute(DATABASE, "CHECKPOINT")
        command = [sys.executable, "-m", "bench.arrivals.source_run"]
        arguments = [self._server.url(database), str(self._sources), name]
        watch = Watch(self._server.child.pid)
        with watch.watching():
            done = await asyncio.to_thread(subprocess.run, [*command, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
        run = SourceRun(**json.loads(done.stdout))
        if run.new != new:
            raise RuntimeError(f"{name}: {run.new} rows of {run.rows} were new, not {new}")
        return _Read(run, watch.costs()["postgres"].cpu_seconds)

    async def forget_cursors(self, database: str) -> None:
        """Let the next read begin at the beginning."""
        await self._execute(database, "UPDATE source SET cursor = NULL")

    async def _execute(self, database: str, statement: str) -> None:
        connection = await asyncpg.connect(self._server.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
