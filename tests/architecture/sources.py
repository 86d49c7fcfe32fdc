"""The repository's Python files, read but not run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    *("billing", "contracts", "reconciliation", "temporal", "storage", "sources", "workflows", "activities"),
    *("starter", "stripe_emulator", "devstack"),
)
SKIPPED = {".git", ".venv", ".perdure", ".hypothesis", "__pycache__", "build", "dist"}
MODULES = (
    "settings",
    "settings_console",
    "settings_faults",
    "settings_limits",
    "settings_sources",
    "settings_statements",
    "worker",
)


def own_files(root: Path) -> list[Path]:
    """Return the repository's own files below a folder. Others come and go while tests run."""
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        found += [Path(folder, name) for name in names]
    return sorted(found)


def files(room: str) -> Iterator[Path]:
    """Yield the Python files of a room, or of a single module."""
    if room in MODULES:
        yield ROOT / f"{room}.py"
    else:
        yield from sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level names that a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names
