"""The file of refused rows: corrected, it can be imported as it is."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO, TypeAlias

from billing.errors import InputError
from billing.usage.columns import REJECTED
from billing.usage.rows import RowFault
from sources.files.reading import Places
from starter.cli import output

Fields: TypeAlias = Mapping[str, object]

_JSON_LINES = (".jsonl", ".ndjson")


class Rejects:
    """Collects refused rows with their fields as they were read, under the names of our columns.

    The rows wait in temporary files: until everything is stored, any of them can be refused.
    """

    def __init__(self, path: Path, places: Places) -> None:
        """Check that the file can be written later.

        Raises:
            InputError: it exists already, or its ending is unknown or its folder missing.
        """
        if path.suffix.lower() not in (".csv", *_JSON_LINES):
            raise InputError(f"--rejects {path}: name a file that ends in .csv or .jsonl")
        if path.exists():
            raise InputError(f"--rejects {path}: this file exists; remove it or choose another name")
        if not path.parent.is_dir():
            raise InputError(f"--rejects {path}: there is no folder {path.parent}")
        self._path = path
        self._places = places
        self._files = ExitStack()
        self._good = self._files.enter_context(_temporary())
        self._refused = self._files.enter_context(_temporary())
        self._reasons: dict[int, list[RowFault]] = {}
        self._columns: dict[tuple[str, ...], None] = {}

    def keep(self, line: int, fields: Fields) -> None:
        """Keep a row that can still be refused."""
        _append(self._good, line, fields)

    def refuse_now(self, line: int, fields: Fields, faults: Sequence[RowFault]) -> None:
        """Add a row that is refused before it is stored."""
        file, number = self._places.find(line)
        reasons = "; ".join(f"{fault.column}: {self._places.reason(fault)}" for fault in faults)
        self._columns[tuple(fields)] = None
        _append(self._refused, line, {**fields, **dict(zip(REJECTED, (number, file, reasons), strict=True))})

    def refuse(self, faults: Sequence[RowFault]) -> None:
        """Add rows that were kept."""
        for fault in faults:
            self._reasons.setdefault(fault.line, []).append(fault)

    def write(self) -> None:
        """Write the file if a row was refused.

        Raises:
            InputError: it cannot be written.
        """
        with self._files:
            if self._reasons:
                for line, fields in _read(self._good):
                    if (faults := self._reasons.get(line)) is not None:
                        self.refuse_now(line, fields, faults)
            try:
                if self._columns:
                    self._write()
            except OSError as error:
                raise InputError(f"--rejects {self._path}: cannot be written: {error.strerror}") from error

    def _write(self) -> None:
        with self._path.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
            rows = (fields for _, fields in _read(self._refused))
            if self._path.suffix.lower() in _JSON_LINES:
                for row in rows:
                    file.write(json.dumps(row) + "\n")
                return
            names = list(dict.fromkeys(name for columns in self._columns for name in columns))
            writer = csv.DictWriter(file, [*names, *REJECTED])
            writer.writeheader()
            for row in rows:
                writer.writerow({name: _text(value) for name, value in row.items()})
        if len({frozenset(columns) for columns in self._columns if columns}) > 1:
            output.complain(
                f"perdure: warning: {self._path}: its rows had different columns, and a field that is empty now would "
                "clear a known value; write --rejects FILE.jsonl"
            )


def _temporary() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _append(file: IO[bytes], line: int, fields: Fields) -> None:
    try:
        file.write(json.dumps([line, fields], default=_plain).encode() + b"\n")
    except OSError as error:
        raise InputError(f"--rejects: a temporary file cannot be written: {error.strerror}") from error


def _read(file: IO[bytes]) -> Iterator[tuple[int, dict[str, object]]]:
    file.seek(0)
    for row in file:
        line, fields = json.loads(row)
        yield line, fields


def _plain(value: object) -> str:
    """Return a value of Parquet, which JSON does not have, as text that is imported as the same value."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _text(value: object) -> object:
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
