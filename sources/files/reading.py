"""Reading the rows of all files of an import, one at a time, so that memory does not grow with them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from billing.errors import InputError
from billing.usage.rows import RowFault
from sources.files.csv_rows import read_csv
from sources.files.finding import ImportFile
from sources.files.json_rows import read_jsonl
from sources.files.opening import open_seekable, open_text
from sources.files.parquet_rows import read_parquet
from sources.files.rows import Columns, Row


class Places:
    """Where rows are: the lines of several files are numbered one after another, those of the first as they are."""

    def __init__(self, several: bool = False) -> None:
        self.several = several
        self._names: list[str] = []
        self._before: list[int] = []
        self._last = 0

    def begin(self, name: str) -> None:
        """Number the lines of another file from now on."""
        self._names.append(name)
        self._before.append(self._last)

    def number(self, line: int) -> int:
        """Return the number of a line of the file that was begun last."""
        self._last = max(self._last, self._before[-1] + line)
        return self._before[-1] + line

    def find(self, number: int) -> tuple[str, int]:
        """Return the file and the line that have a number."""
        file = max(bisect_right(self._before, number - 1) - 1, 0)
        return self._names[file], number - self._before[file]

    def name(self, number: int) -> str:
        """Return `line 3`, or `b.csv, line 3` if there are several files."""
        if not self.several:
            return f"line {number}"
        file, line = self.find(number)
        return f"{file}, line {line}"

    def reason(self, fault: RowFault) -> str:
        """Return the reason of a fault; another line that it names is named with its file if there are several."""
        if fault.other is None or not self.several:
            return fault.reason
        return fault.reason.replace(f"in line {fault.other}", f"in {self.name(fault.other)}")


def read_rows(files: Sequence[ImportFile], columns: Columns, places: Places) -> Iterator[Row | RowFault]:
    """Yield the rows of the files, each with the number that `places` has for its line; rows of Parquet are numbered.

    A row that cannot be read is yielded as a fault, and reading continues after it.

    Raises:
        InputError: a file cannot be read, or `columns` refuses its columns. The message is one line and names the file.
    """
    for file in files:
        places.begin(file.name)
        with _naming(file.name):
            for row in _rows(file, columns):
                if isinstance(row, RowFault):
                    yield RowFault(places.number(row.line), row.column, row.reason)
                else:
                    yield places.number(row[0]), row[1]


def _rows(file: ImportFile, columns: Columns) -> Iterator[Row | RowFault]:
    if file.format == "parquet":
        with open_seekable(file.open) as opened:
            yield from read_parquet(opened, columns)
        return
    with open_text(file.open) as text:
        yield from (read_csv if file.format == "csv" else read_jsonl)(text, columns)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
