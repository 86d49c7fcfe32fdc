"""Files of instances for the benchmark of imports: `python -m bench.imports.files FOLDER ROWS ACCOUNTS`."""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import pyarrow
from pyarrow.parquet import ParquetWriter

_SEED = 20220501
_BATCH = 10_000
_TEXTS = (
    "id",
    "attribution_id",
    "workspace_id",
    "project_id",
    "owner_id",
    "workspace_class",
    "workspace_type",
)
_TIMES = ("creation_time", "started_time", "stopping_time", "stopped_time")
_UPDATED = "updated_at"
_MONTH = datetime(2022, 5, 1, tzinfo=UTC)


def rows_of(number: int, accounts: int) -> Iterator[tuple[object, ...]]:
    """Yield a month's instances, the same in every run, in the order of their starts; `updated_at` comes last."""
    chance = random.Random(_SEED)
    for n in range(number):
        started = _MONTH + n * (timedelta(days=30) / number)
        stopping = started + timedelta(microseconds=chance.randrange(60_000_000, 43_200_000_000))
        runs = n % 200 == 0
        stopped = stopping + timedelta(seconds=20)
        yield (
            str(UUID(int=chance.getrandbits(128))),
            f"team:{1 + n % accounts:07}",
            f"w-{n}",
            f"p-{n % 50}",
            f"user:{n % 7}",
            ("default", "xl", "gpu")[n % 3],
            "regular",
            started - timedelta(seconds=30),
            started,
            None if runs else stopping,
            None if runs else stopped,
            started if runs else stopped,
        )


def write(folder: Path, number: int, accounts: int) -> None:
    """Write the rows as CSV and as Parquet, each with and without `updated_at`."""
    for timed in (False, True):
        names = [*_TEXTS, *_TIMES, *([_UPDATED] if timed else [])]
        _csv(path_of(folder, number, "csv", timed=timed), names, rows_of(number, accounts))
        _parquet(path_of(folder, number, "parquet", timed=timed), names, rows_of(number, accounts))


def path_of(folder: Path, number: int, kind: str, *, timed: bool) -> Path:
    """Return the place of one of the files."""
    return folder / f"{number}{'-updated' if timed else ''}.{kind}"


def _csv(path: Path, names: list[str], rows: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            writer.writerow([_shown(value) for value in row[: len(names)]])


def _shown(value: object) -> object:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _parquet(path: Path, names: list[str], rows: Iterator[tuple[object, ...]]) -> None:
    time = pyarrow.timestamp("us", tz="UTC")
    schema = pyarrow.schema([(name, pyarrow.string() if name in _TEXTS else time) for name in names])
    with ParquetWriter(path, schema) as writer:
        while batch := [row[: len(names)] for row in islice(rows, _BATCH)]:
            columns = zip(zip(*batch, strict=True), schema, strict=True)
            arrays = [pyarrow.array(values, field.type) for values, field in columns]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def main() -> None:
    """Write the files into a folder."""
    folder, number, accounts = sys.argv[1:]
    write(Path(folder), int(number), int(accounts))


if __name__ == "__main__":
    main()
