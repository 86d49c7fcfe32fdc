"""The floor of an invoice: an empty workflow of the same shape, on the same server, in processes of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.processes import COARSE_SECONDS, Watch

_PROCESSES = {"server": "temporal server", "billing": "floor billing worker", "stripe": "floor stripe worker"}


@dataclass(frozen=True)
class Floor:
    """The cost of the empty workflows. `by_process`: milliseconds of CPU of one in `server`, `billing`, `stripe`."""

    workflows: int
    seconds: float
    by_process: dict[str, float]

    @property
    def cpu_ms(self) -> float:
        """CPU of one."""
        return sum(self.by_process.values())

    @property
    def rate(self) -> float:
        """How many run in a second."""
        return self.workflows / self.seconds


async def measure_floor(address: str, workflows: int) -> Floor:
    """Run as many empty workflows on this server."""
    async with _worker("stripe", address, workflows), _worker("billing", address, workflows) as billing:
        watch = Watch(os.getpid(), COARSE_SECONDS)
        with watch.watching():
            started = time.perf_counter()
            await _tell(billing)
            await _said(billing, "done")
            seconds = time.perf_counter() - started
    costs = watch.costs()
    spent = {short: 1000 * costs[name].cpu_seconds / workflows for short, name in _PROCESSES.items()}
    return Floor(workflows, seconds, spent)


@asynccontextmanager
async def _worker(role: str, address: str, workflows: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one of the two workers until the block ends. It is ready when the block begins."""
    command = [sys.executable, "-m", "bench.invoicing.shape_run", role, address, str(workflows)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        await _said(process, "ready")
        yield process
        await _tell(process)
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _tell(process: asyncio.subprocess.Process) -> None:
    if process.stdin is None:
        raise RuntimeError("the worker has no stdin")
    process.stdin.write(b"\n")
    await process.stdin.drain()


async def _said(process: asyncio.subprocess.Process, word: str) -> None:
    if process.stdout is None or (await process.stdout.readline()).decode().strip() != word:
        raise RuntimeError(f"the worker of the floor did not say {word!r}")
