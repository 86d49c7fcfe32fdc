"""Reading files under the names that their columns have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from billing.errors import InputError
from billing.usage.rows import RowFault
from sources.files import reading
from sources.files.finding import find_files
from sources.files.rows import Columns, Row


class AsTheyAre:
    """Takes all columns of a file under the names that they have."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def of_row(self, names: Sequence[str]) -> list[str | None]:
        return [*names]

    def of_file(self, names: Sequence[str]) -> list[str | None]:
        self.seen.append(list(names))
        return [*names]


def read_rows(path: Path, columns: Columns | None = None) -> Iterator[Row | RowFault]:
    return reading.read_rows(find_files([str(path)]).files, columns or AsTheyAre(), reading.Places())


def refusal(path: Path) -> str:
    """Return why the file is refused: one line that names the file."""
    with pytest.raises(InputError) as caught:
        list(read_rows(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def write_parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path
