"""What all readers of files share: rows, their columns, and the text of a file line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from billing.errors import InputError
from sources.files.opening import ByteStream

Row: TypeAlias = tuple[int, Mapping[str, object]]
"""A row's line and its fields, by column."""

MAX_LINE = 1024 * 1024  # bytes


class Columns(Protocol):
    """Says which column each name of a file is; None is ignored."""

    def of_row(self, names: Sequence[str]) -> list[str | None]:
        """Return the columns of a row that has its own names. Raises InputError if a column is there twice."""

    def of_file(self, names: Sequence[str]) -> list[str | None]:
        """Return the columns of all rows. Raises InputError if the file's columns are wrong."""


class Picker:
    """Turns the values of a row into fields, without the columns that are ignored."""

    def __init__(self, columns: Sequence[str | None]) -> None:
        self._names = [name for name in columns if name is not None]
        self._places = [place for place, name in enumerate(columns) if name is not None]
        self._all = len(self._names) == len(columns)

    def fields(self, values: Sequence[object]) -> Mapping[str, object]:
        """Return the fields of a row with so many values as there are columns."""
        picked = values if self._all else [values[place] for place in self._places]
        return dict(zip(self._names, picked, strict=True))


class Lines:
    """A file's lines as text, for the csv module. `garbled` has the numbers of lines that were not UTF-8."""

    def __init__(self, file: ByteStream) -> None:
        self._file = file
        self._number = 0
        self.garbled: list[int] = []

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(MAX_LINE)
        if not raw:
            raise StopIteration
        self._number += 1
        if len(raw) >= MAX_LINE:
            raise InputError(f"line {self._number} is longer than {MAX_LINE} bytes")
        if self._number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.garbled.append(self._number)
            return raw.decode(errors="replace")


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names of a file's columns.

    Raises:
        InputError: a column has no name, or two have the same.
    """
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(f"column {number} has no name")
        if names.index(name) != number - 1:
            raise InputError(f"there are two columns {name[:60]!r}")
    return list(names)
