"""Read rows from CSV, JSON Lines and Parquet files, one at a time, so that memory does not grow with the file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO, Any, TypeAlias

from billing.errors import InputError
from billing.text import plural
from billing.usage.parsing import WHOLE_ROW
from billing.usage.rows import RowFault

Row: TypeAlias = tuple[int, Mapping[str, object]]
CheckColumns: TypeAlias = Callable[[Collection[str]], None]

_MAX_LINE = 1024 * 1024  # bytes
_BATCH = 2048  # rows of a Parquet file held at once
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_rows(path: Path, check_columns: CheckColumns | None = None) -> Iterator[Row | RowFault]:
    """Yield the rows of a file, each with its line number; a Parquet row has its number, from 1.

    A row that cannot be read is yielded as a fault, and reading continues after it. `check_columns` gets the columns'
    names before the first row (except for JSON Lines, where each row has its own), and refuses them by raising
    InputError.

    Args:
        path: the file; `-` is CSV on standard input.

    Raises:
        InputError: the file cannot be read at all, or its extension is unknown. The message is one line and names the
            file.
    """
    read = _reader(path)
    with _naming(path):
        yield from read(path, check_columns or (lambda _: None))


def _reader(path: Path) -> Callable[[Path, CheckColumns], Iterator[Row | RowFault]]:
    if str(path) == "-":
        return _read_csv
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".parquet": _read_parquet}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path}: the extension says the format: use one of {', '.join(readers)}")
    return read


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _open_text(path: Path) -> Iterator[IO[bytes]]:
    """Open the file, after checking that its beginning is text; `-` is standard input."""
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        start = file.read(4096)
        if not start.strip():
            raise InputError("the file is empty")
        if b"\0" in start or start.startswith(_UTF16):
            raise InputError("this is not UTF-8 text; save it as UTF-8")
        file.seek(0)
        yield file


class _Lines:
    """A file's lines as text, for the csv module. `garbled` has the numbers of lines that were not UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._number = 0
        self.garbled: list[int] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(_MAX_LINE)
        if not raw:
            raise StopIteration
        self._number += 1
        if len(raw) >= _MAX_LINE:
            raise InputError(f"line {self._number} is longer than {_MAX_LINE} bytes")
        if self._number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.garbled.append(self._number)
            return raw.decode(errors="replace")


def _read_csv(path: Path, check_columns: CheckColumns) -> Iterator[Row | RowFault]:
    with _open_text(path) as file:
        lines = _Lines(file)
        reader = csv.reader(lines, strict=True)
        names = _header(reader, lines)
        check_columns(names)
        while True:
            line = reader.line_num + 1
            lines.garbled.clear()
            try:
                values = next(reader, None)
            except csv.Error as error:
                yield RowFault(line, WHOLE_ROW, _csv_fault(error, line, reader.line_num))
                continue
            if values is None:
                return
            if lines.garbled:
                yield RowFault(line, WHOLE_ROW, "is not UTF-8 text")
            elif values and len(values) != len(names):
                yield RowFault(
                    line,
                    WHOLE_ROW,
                    f"has {plural(len(values), 'field')}; the header has {plural(len(names), 'column')}",
                )
            elif values:
                yield line, dict(zip(names, values, strict=True))


def _header(reader: Iterator[list[str]], lines: _Lines) -> list[str]:
    try:
        first = next(reader, None)
    except csv.Error as error:
        raise InputError(f"line 1 is not a CSV header: {error}") from error
    if first is None:
        raise InputError("the file is empty")
    names = [name.strip() for name in first]
    if not any(names):
        raise InputError("line 1 must name the columns")
    if lines.garbled:
        raise InputError("line 1 is not UTF-8 text; save the file as UTF-8")
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise InputError(f"the columns are separated by {word}; write commas")
    return _distinct(names)


def _distinct(names: list[str]) -> list[str]:
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(f"column {number} has no name")
        if names.index(name) != number - 1:
            raise InputError(f"there are two columns {name[:60]!r}")
    return names


def _csv_fault(error: csv.Error, first: int, last: int) -> str:
    up_to = f"; everything up to line {last} was skipped as one row" if last > first else ""
    return f"is not CSV: {error}{up_to}"


def _read_jsonl(path: Path, check_columns: CheckColumns) -> Iterator[Row | RowFault]:  # noqa: ARG001
    with _open_text(path) as file:
        line = 0
        while raw := file.readline(_MAX_LINE):
            line += 1
            if len(raw) >= _MAX_LINE and not raw.endswith(b"\n"):
                while (rest := file.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield RowFault(line, WHOLE_ROW, f"is longer than {_MAX_LINE} bytes")
            elif raw.strip():
                yield _json_row(line, raw)


def _json_row(line: int, raw: bytes) -> Row | RowFault:
    try:
        row = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
    except UnicodeDecodeError:
        return RowFault(line, WHOLE_ROW, "is not UTF-8 text")
    except json.JSONDecodeError as error:
        return RowFault(line, WHOLE_ROW, f"is not JSON: {error.msg}, at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return RowFault(line, WHOLE_ROW, f"is not usable JSON: {error}")
    if not isinstance(row, dict):
        return RowFault(line, WHOLE_ROW, "is not a JSON object")
    return line, row


def _read_parquet(path: Path, check_columns: CheckColumns) -> Iterator[Row | RowFault]:
    # Imported only here: it is slow to import, and most commands never need it.
    import pyarrow
    from pyarrow.parquet import ParquetFile

    if path.is_file() and not path.stat().st_size:
        raise InputError("the file is empty")
    try:
        with path.open("rb") as raw, ParquetFile(raw) as file:
            names = _distinct(list(file.schema_arrow.names))
            check_columns(names)
            line = 0
            for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
                columns = [_values(column) for column in batch.columns]
                for values in zip(*columns, strict=True):
                    line += 1
                    yield line, dict(zip(names, values, strict=True))
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # from the system: Arrow's own errors have no number
        raise InputError(f"this is not a valid Parquet file: {' '.join(str(error).split())[:200]}") from error


def _values(column: Any) -> list[object]:
    import pyarrow

    if not pyarrow.types.is_timestamp(column.type):
        return list(column.to_pylist())
    # Read as integers: no digit is lost, and Arrow needs no time zone files. Timestamps with a zone are in UTC.
    zone = None if column.type.tz is None else UTC
    nanoseconds = _NANOSECONDS[column.type.unit]
    counts = column.cast(pyarrow.int64()).to_pylist()
    return [None if count is None else _time(count * nanoseconds, zone) for count in counts]


def _time(nanoseconds: int, zone: tzinfo | None) -> datetime | str:
    """Return the time that long after 1970; as text, which parsing refuses and shows, if `datetime` cannot hold it."""
    microseconds, rest = divmod(nanoseconds, 1000)
    try:
        instant = _EPOCH.replace(tzinfo=zone) + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{nanoseconds} ns after 1970"
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}{rest:03}{'Z' if zone else ''}" if rest else instant
