"""Measure statements of one large invoice: each form by the command, in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.commands import billed
from bench.figures import Figure, at_most
from bench.scratch import folder
from bench.usage import PERIOD

PART = "statements"
_KEY = f"{PERIOD}/team:0000001/period"  # the only one
# A process begins with the peak memory of its parent, so a small one starts the command. The peak is
# that of the command, or of what it has started where that has more.
_LAUNCHER = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status)
"""
_FORMS = ("pdf", "html", "csv", "xlsx")
_MOST_SECONDS = 5.0
_MOST_MIB = 250.0
_COUNTED = 10_000  # instances that the targets are for


def measure(instances: int) -> list[Figure]:
    """Write the statement of an invoice with so many instances, and of one with a fifth of them, in each form."""
    return asyncio.run(_measure(instances))


async def _measure(instances: int) -> list[Figure]:
    figures: list[Figure] = []
    for count in (instances // 5, instances):
        with folder() as scratch:
            async with billed(scratch, count, count) as (_, environment):
                for form in _FORMS:
                    figures += await asyncio.to_thread(_one, scratch / f"statement.{form}", environment, count)
    return figures


def _one(path: Path, environment: Mapping[str, str], instances: int) -> list[Figure]:
    command = [sys.executable, "-P", "-m", "starter.cli.main", "invoices", "statement", _KEY, "--to", str(path)]
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, *command], check=False, env=dict(environment), capture_output=True, text=True
    )
    wall = time.perf_counter() - started
    if run.returncode:
        raise RuntimeError(run.stderr)
    cpu, peak_kib = map(float, run.stdout.split())
    form, size = path.suffix.removeprefix("."), path.stat().st_size / 1024 / 1024
    reach, met = at_most(_MOST_SECONDS, wall) if form == "pdf" and instances == _COUNTED else ("", None)
    room, kept = at_most(_MOST_MIB, peak_kib / 1024)
    name = f"{form}, {instances:,} instances"
    return [
        Figure(PART, name, wall, "s", reach, met, f"CPU {cpu:.2f} s, {size:.1f} MiB"),
        Figure(PART, f"{name}: memory", peak_kib / 1024, "MiB", room, kept),
    ]
