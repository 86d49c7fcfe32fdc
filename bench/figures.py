"""The benchmarks' figures, and how they are printed."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured value. `reach` is the target in words, if there is one; `met` says whether the value meets it."""

    part: str
    name: str
    value: float
    unit: str
    reach: str = ""
    met: bool | None = None
    note: str = ""


def at_most(limit: float, value: float) -> tuple[str, bool]:
    """Return `reach` and `met` of a figure with an upper limit."""
    return f"≤ {limit:g}", value <= limit


def at_least(limit: float, value: float) -> tuple[str, bool]:
    """Return `reach` and `met` of a figure with a lower limit."""
    return f"≥ {limit:g}", value >= limit


def print_table(figures: list[Figure], console: Console) -> None:
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
        table.add_row(part, figure.name, readable(figure.value), figure.unit, figure.reach + mark, figure.note)
    console.print(table)


def readable(value: float) -> str:
    """Format a value with three significant digits and grouped thousands."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def write_json(figures: list[Figure], path: Path) -> None:
    """Write the figures to a JSON file, for comparing runs."""
    document = {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        "figures": [asdict(figure) for figure in figures],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
