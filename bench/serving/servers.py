"""PostgreSQL and Temporal for the product's processes, and how a command is measured on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.claim_run import RATES
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.product import PERDURE
from devstack.servers.temporal import TemporalServer, start_headless
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade

_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
# Commands end with 3 where nothing was billed yet.
_FAILED = (1, 2, 69, 70)


@dataclass(frozen=True)
class Servers:
    """The servers, the database's address, and the environment of commands on them."""

    postgres: Postgres
    temporal: TemporalServer
    url: str
    environment: dict[str, str]


@contextlib.asynccontextmanager
async def servers(scratch: Path, fill: Callable[[str], Awaitable[object]]) -> AsyncIterator[Servers]:
    """Run PostgreSQL, whose database `fill` fills by its address, and an empty Temporal."""
    place = data_folder(scratch / "postgres", "bench", drop_user())
    postgres = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
    try:
        temporal = await start_headless(scratch / "temporal.log")
        try:
            url = postgres.url(DATABASE)
            await upgrade(url)
            await fill(url)
            environment = {name: value for name, value in os.environ.items() if name in _INHERITED} | {
                "PERDURE_ENVIRONMENT_ONLY": "1",
                "PERDURE_HOME": str(scratch / "home"),
                "DATABASE_URL": url,
                "RATE_CARD": str(RATES),
                "TEMPORAL_ADDRESS": temporal.address,
                "TEMPORAL_CONFIG_FILE": os.devnull,
            }
            yield Servers(postgres, temporal, url, environment)
        finally:
            await temporal.stop()
    finally:
        await postgres.stop()


def run_command(environment: Mapping[str, str], words: Sequence[str]) -> tuple[float, float]:
    """Run `perdure` with these arguments. Return the wall-clock seconds and the CPU seconds.

    Raises:
        RuntimeError: it failed.
    """
    before, began = os.times(), time.perf_counter()
    run = subprocess.run([*PERDURE, *words], check=False, env=dict(environment), capture_output=True, text=True)
    wall, after = time.perf_counter() - began, os.times()
    if run.returncode in _FAILED:
        raise RuntimeError(f"`perdure {' '.join(words)}`: {run.stdout[-500:]}{run.stderr[-500:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu
