"""The sample product's own database, from which Perdure fetches usage: a SQLite file made of the sample files."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

SAMPLE = Path(__file__).parent
"""The folder of the sample files."""
_DATABASE = "product.db"
_SOURCES = "sources.toml"
_COLUMNS = (
    *("id", "attribution_id", "workspace_id", "project_id", "owner_id", "workspace_class", "workspace_type"),
    *("creation_time", "started_time", "stopping_time", "stopped_time", "updated_at"),
)
_TIMES = ("creation_time", "started_time", "stopping_time", "stopped_time")


def sample_sources(home: Path) -> Path:
    """Return where a stack's data folder has the sample product's `sources.toml`, if it has."""
    return home / "sample" / _SOURCES


def make_product(folder: Path) -> None:
    """Make the product's database, unless it is there, and the `sources.toml` that names it."""
    shutil.copyfile(SAMPLE / _SOURCES, folder / _SOURCES)
    if (folder / _DATABASE).exists():
        return
    unfinished = folder / f"{_DATABASE}.unfinished"
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as database, database:
        database.execute(f"CREATE TABLE workspace_instance ({', '.join(_COLUMNS)}, PRIMARY KEY (id, updated_at))")
        database.execute("CREATE INDEX changes ON workspace_instance (updated_at, id)")
        _insert(database, "instances.csv")
        _insert(database, "changes.csv")
    os.replace(unfinished, folder / _DATABASE)


def record_late_stops(folder: Path) -> None:
    """Record the stops that the product did not know before."""
    with closing(sqlite3.connect(folder / _DATABASE)) as database, database:
        _insert(database, "late-stop.csv")


def _insert(database: sqlite3.Connection, name: str) -> None:
    statement = "INSERT OR IGNORE INTO workspace_instance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    database.executemany(statement, _rows(SAMPLE / name))


def _rows(path: Path) -> Iterator[tuple[str | None, ...]]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            # A row changes for the last time at its last event.
            row.setdefault("updated_at", max(row.get(name, "") for name in _TIMES))
            yield tuple(row.get(name) or None for name in _COLUMNS)
