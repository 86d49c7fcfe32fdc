"""Measure the commands that only read, over a billed month: each in a process of its own, with its start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import asyncpg  # type: ignore[import-untyped]

from bench.audit import bill
from bench.figures import Figure, at_most
from bench.processes import Watch
from bench.scratch import folder
from bench.serving.servers import run_command, servers
from bench.usage import PERIOD
from devstack.servers.postgres import Postgres

PART = "commands"
INSTANCES_AN_INVOICE = 10
_MOST_SECONDS = 1.0
_MOST_HELP_SECONDS = 0.3
_ACCOUNT = "team:0000017"
_KEY = f"{PERIOD}/{_ACCOUNT}/period"
# What shows progress with a percentage, or reads all usage by its nature, has no target.
_COMMANDS: Mapping[str, float | None] = {
    "--help": _MOST_HELP_SECONDS,
    "invoices --help": _MOST_HELP_SECONDS,
    "status": _MOST_SECONDS,
    f"status --period {PERIOD}": _MOST_SECONDS,
    f"status --account {_ACCOUNT}": _MOST_SECONDS,
    "period list": _MOST_SECONDS,
    f"period status {PERIOD}": _MOST_SECONDS,
    f"summary {PERIOD}": _MOST_SECONDS,
    f"summary {PERIOD} --by day": _MOST_SECONDS,
    f"summary {PERIOD} --by account": None,
    f"period excluded {PERIOD}": _MOST_SECONDS,
    f"period run {PERIOD} --dry-run --account {_ACCOUNT}": _MOST_SECONDS,
    f"period run {PERIOD} --dry-run": None,
    "invoices list": _MOST_SECONDS,
    f"invoices list --period {PERIOD} --state blocked": _MOST_SECONDS,
    f"invoices list --account {_ACCOUNT}": _MOST_SECONDS,
    f"invoices show {_KEY}": _MOST_SECONDS,
    f"explain --invoice {_KEY}": _MOST_SECONDS,
    "explain INSTANCE": _MOST_SECONDS,
    "accounts list": _MOST_SECONDS,
    f"report list --period {PERIOD}": _MOST_SECONDS,
    f"warnings list --period {PERIOD}": None,
    "warnings list": None,
    "sources list": _MOST_SECONDS,
    "schedule list": _MOST_SECONDS,
    "db current": _MOST_SECONDS,
}


def measure(instances: int, rounds: int) -> list[Figure]:
    """Run each command `rounds` times; the median counts."""
    return asyncio.run(_measure(instances, rounds))


async def _measure(instances: int, rounds: int) -> list[Figure]:
    with folder() as scratch:
        async with billed(scratch, instances) as (server, environment):
            watch = Watch(server.child.pid)
            figures: list[Figure] = []
            for command, most in _COMMANDS.items():
                figures.append(await asyncio.to_thread(_run, watch, environment, command, most, rounds))
            return figures


@contextlib.asynccontextmanager
async def billed(
    scratch: Path, instances: int, an_invoice: int = INSTANCES_AN_INVOICE
) -> AsyncIterator[tuple[Postgres, dict[str, str]]]:
    """Yield a server with a billed month, and the environment of commands on it and on an empty Temporal."""
    async with servers(scratch, lambda url: bill(url, instances, an_invoice)) as running:
        yield running.postgres, running.environment | {"INSTANCE": await _an_instance(running.url)}


async def _an_instance(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT instance_id FROM claim ORDER BY instance_id LIMIT 1"))
    finally:
        await connection.close()


def _run(watch: Watch, environment: Mapping[str, str], command: str, most: float | None, rounds: int) -> Figure:
    words = command.replace("INSTANCE", environment["INSTANCE"]).split()
    runs = [_once(watch, environment, words) for _ in range(rounds)]
    wall, cpu, postgres = (median(each) for each in zip(*runs, strict=True))
    goal = None if most is None else at_most(most)
    if most == _MOST_HELP_SECONDS:
        return Figure(PART, command, cpu, "s of CPU", goal, note=f"wall {wall:.2f} s")
    return Figure(PART, command, wall, "s", goal, note=f"CPU {cpu:.2f} s, PostgreSQL's {postgres:.2f} s")


def _once(watch: Watch, environment: Mapping[str, str], words: Sequence[str]) -> tuple[float, float, float]:
    """Return the wall time, the CPU seconds of the command, and those of PostgreSQL."""
    with watch.watching():
        wall, cpu = run_command(environment, words)
    return wall, cpu, watch.costs()["postgres"].cpu_seconds
