"""Measure cold starts: the CPU that a process has spent when it is ready, and that of commands until they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.figures import Figure, at_most
from bench.scratch import folder
from bench.serving.servers import Servers, run_command, servers
from bench.usage import PERIOD, fill_accounts
from devstack import ports
from devstack.servers.product import product_child, start_http, start_worker

PART = "cold start"
_MOST_SECONDS = 1.0
_WORKERS = ("billing", "stripe", "sources")
_SERVERS: Mapping[str, str] = {"webhook": "/readyz", "api": "/readyz", "console": "/healthz", "monitor": "/healthz"}
_COMMANDS = ("--help", "status", f"period status {PERIOD}")


@dataclass(frozen=True)
class Started:
    """What a process needed until it was ready: CPU and wall-clock seconds, and MiB then."""

    cpu: float
    wall: float
    mib: float


def measure() -> list[Figure]:
    """Start each process of the product once, on a database with accounts, and then the commands."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with folder() as scratch:
        async with servers(scratch, lambda url: fill_accounts(url, 1000)) as running:
            environment = _environment(scratch, running)
            figures = []
            for name in (*_WORKERS, *_SERVERS):
                started = await _process(name, scratch, running.temporal.http_url, environment)
                note = f"wall {started.wall:.2f} s, {started.mib:.0f} MiB"
                what = f"{name} worker" if name in _WORKERS else "metrics" if name == "monitor" else name
                figures.append(Figure(PART, what, started.cpu, "s of CPU", at_most(_MOST_SECONDS), note=note))
            for command in _COMMANDS:
                wall, cpu = await asyncio.to_thread(run_command, environment, command.split())
                note, goal = f"wall {wall:.2f} s", at_most(_MOST_SECONDS)
                figures.append(Figure(PART, f"perdure {command}", cpu, "s of CPU", goal, note=note))
            return figures


def _environment(scratch: Path, running: Servers) -> dict[str, str]:
    """Return an environment for every process."""
    return running.environment | {
        "REPORT_STORE_URL": (scratch / "reports").as_uri(),
        "SOURCES": str(scratch / "sources.toml"),
        "STRIPE_API_KEY": "sk_test_bench",
        "STRIPE_API_BASE": f"http://{ports.HOST}:9",
        "STRIPE_WEBHOOK_SECRET": "whsec_bench",
        "CONSOLE_SESSION_KEY": "bench-" * 8,
        "CONSOLE_LINK_SECRET": "bench-" * 8,
    }


async def _process(name: str, scratch: Path, temporal_http: str, environment: Mapping[str, str]) -> Started:
    """Start a worker or a server, and stop it once it is ready."""
    listening = None if name in _WORKERS else ports.listen(ports.HOST)
    port = listening.getsockname()[1] if listening else 0
    env = {**environment, **({f"{name.upper()}_PORT": str(port)} if listening else {})}
    child = product_child(name, scratch / f"{name}.log", env, listening)
    began = time.perf_counter()
    try:
        if listening is None:
            await start_worker(child, name, temporal_http)
        else:
            await start_http(child, f"http://{ports.HOST}:{port}{_SERVERS[name]}")
        wall, process = time.perf_counter() - began, psutil.Process(child.pid)
        times, memory = process.cpu_times(), process.memory_info()
        return Started(times.user + times.system, wall, memory.rss / 2**20)
    finally:
        await child.stop()
        if listening:
            listening.close()
