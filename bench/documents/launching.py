"""Run a command in a process of its own, and measure it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A process begins with the peak memory of its parent, so a small one starts the command.
_LAUNCHER = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status)
"""


@dataclass(frozen=True)
class Spent:
    """What a command took. The peak is its own, or that of what it has started where that has more."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def perdure(environment: Mapping[str, str], *words: str) -> Spent:
    """Run `perdure` with these arguments.

    Raises:
        RuntimeError: it failed.
    """
    command: Sequence[str] = (sys.executable, "-P", "-m", "starter.cli.main", *words)
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, *command], check=False, env=dict(environment), capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if run.returncode:
        raise RuntimeError(f"`perdure {' '.join(words)}`: {run.stderr}")
    cpu, peak_kib = map(float, run.stdout.split())
    return Spent(seconds, cpu, peak_kib / 1024)
