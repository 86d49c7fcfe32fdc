"""Measure cold starts: the CPU that a process has spent when it is ready, and that of commands until they end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.claim_run import RATES
from bench.figures import Figure, at_most
from bench.scratch import folder
from bench.usage import PERIOD, fill_accounts
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.product import PERDURE, product_child, start_http, start_worker
from devstack.servers.temporal import TemporalServer, start_headless
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade

PART = "cold start"
_MOST_SECONDS = 1.0
_WORKERS = ("billing", "stripe", "sources")
_SERVERS: Mapping[str, str] = {"webhook": "/readyz", "api": "/readyz", "console": "/healthz", "monitor": "/healthz"}
_COMMANDS = ("--help", "status", f"period status {PERIOD}")
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
# Commands end with 3 where nothing was billed yet.
_FAILED = (1, 2, 69, 70)


@dataclass(frozen=True)
class Started:
    """What a process needed until it was ready, or until it ended: CPU and wall-clock seconds, and MiB then."""

    cpu: float
    wall: float
    mib: float = 0.0


def measure() -> list[Figure]:
    """Start each process of the product once, on a database with accounts, and then the commands."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with folder() as scratch:
        async with _servers(scratch) as (temporal, environment):
            figures = []
            for name in (*_WORKERS, *_SERVERS):
                started = await _process(name, scratch, temporal, environment)
                note = f"wall {started.wall:.2f} s, {started.mib:.0f} MiB"
                what = f"{name} worker" if name in _WORKERS else "metrics" if name == "monitor" else name
                figures.append(Figure(PART, what, started.cpu, "s of CPU", at_most(_MOST_SECONDS), note=note))
            for command in _COMMANDS:
                ran = await asyncio.to_thread(_command, command, environment)
                note, goal = f"wall {ran.wall:.2f} s", at_most(_MOST_SECONDS)
                figures.append(Figure(PART, f"perdure {command}", ran.cpu, "s of CPU", goal, note=note))
            return figures


@contextlib.asynccontextmanager
async def _servers(scratch: Path) -> AsyncIterator[tuple[TemporalServer, dict[str, str]]]:
    """Run PostgreSQL and Temporal. Yield Temporal, and an environment for every process."""
    place = data_folder(scratch / "postgres", "bench", drop_user())
    postgres = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
    try:
        temporal = await start_headless(scratch / "temporal.log")
        try:
            url = postgres.url(DATABASE)
            await upgrade(url)
            await fill_accounts(url, 1000)
            kept = {name: value for name, value in os.environ.items() if name in _INHERITED}
            yield (
                temporal,
                kept
                | {
                    "PERDURE_ENVIRONMENT_ONLY": "1",
                    "PERDURE_HOME": str(scratch / "home"),
                    "DATABASE_URL": url,
                    "RATE_CARD": str(RATES),
                    "REPORT_STORE_URL": (scratch / "reports").as_uri(),
                    "SOURCES": str(scratch / "sources.toml"),
                    "STRIPE_API_KEY": "sk_test_bench",
                    "STRIPE_API_BASE": f"http://{ports.HOST}:9",
                    "STRIPE_WEBHOOK_SECRET": "whsec_bench",
                    "CONSOLE_SESSION_KEY": "bench-" * 8,
                    "CONSOLE_LINK_SECRET": "bench-" * 8,
                    "TEMPORAL_ADDRESS": temporal.address,
                    "TEMPORAL_CONFIG_FILE": os.devnull,
                },
            )
        finally:
            await temporal.stop()
    finally:
        await postgres.stop()


async def _process(name: str, scratch: Path, temporal: TemporalServer, environment: Mapping[str, str]) -> Started:
    """Start a worker or a server, and stop it once it is ready."""
    listening = None if name in _WORKERS else ports.listen(ports.HOST)
    port = listening.getsockname()[1] if listening else 0
    env = {**environment, **({f"{name.upper()}_PORT": str(port)} if listening else {})}
    child = product_child(name, scratch / f"{name}.log", env, listening)
    began = time.perf_counter()
    try:
        if listening is None:
            await start_worker(child, name, temporal.http_url)
        else:
            await start_http(child, f"http://{ports.HOST}:{port}{_SERVERS[name]}")
        wall, process = time.perf_counter() - began, psutil.Process(child.pid)
        times, memory = process.cpu_times(), process.memory_info()
        return Started(times.user + times.system, wall, memory.rss / 2**20)
    finally:
        await child.stop()
        if listening:
            listening.close()


def _command(command: str, environment: Mapping[str, str]) -> Started:
    """Run a command."""
    before, began = os.times(), time.perf_counter()
    run = subprocess.run([*PERDURE, *command.split()], check=False, env=dict(environment), capture_output=True)
    wall, after = time.perf_counter() - began, os.times()
    if run.returncode in _FAILED:
        raise RuntimeError(f"`perdure {command}`: {run.stdout[-500:]!r}{run.stderr[-500:]!r}")
    return Started(after.children_user + after.children_system - before.children_user - before.children_system, wall)
