"""Rows of CSV, separated by commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain

from billing.errors import InputError
from billing.text import plural
from billing.usage.parsing import WHOLE_ROW
from billing.usage.rows import RowFault
from sources.files.opening import ByteStream
from sources.files.rows import Columns, Lines, Picker, Row, distinct

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_QUOTED = re.compile(r'"(?:[^"]|"")*(?:"|$)')


def read_csv(file: ByteStream, columns: Columns) -> Iterator[Row | RowFault]:
    """Yield the rows, each with the line on which it begins. The header says what separates the columns."""
    lines = Lines(file)
    first = next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=_separator(first), strict=True)
    names = _header(reader, lines)
    picker = Picker(columns.of_file(names))
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
            fields, wanted = plural(len(values), "field"), plural(len(names), "column")
            yield RowFault(line, WHOLE_ROW, f"has {fields}; the header has {wanted}")
        elif values:
            yield line, picker.fields(values)


def _separator(header: str) -> str:
    bare = _QUOTED.sub("", header)
    found = [separator for separator in _SEPARATORS if separator in bare]
    if len(found) > 1:
        words = " and ".join(_SEPARATORS[separator] for separator in found)
        raise InputError(f"line 1 has {words}: put column names that contain one of them in double quotes")
    return found[0] if found else ","


def _header(reader: Iterator[list[str]], lines: Lines) -> list[str]:
    try:
        first = next(reader, None)
    except csv.Error as error:
        raise InputError(f"line 1 is not a CSV header: {error}") from error
    names = [name.strip() for name in first or []]
    if not any(names):
        raise InputError("line 1 must name the columns")
    if lines.garbled:
        raise InputError("line 1 is not UTF-8 text; save the file as UTF-8")
    return distinct(names)


def _csv_fault(error: csv.Error, first: int, last: int) -> str:
    up_to = f"; everything up to line {last} was skipped as one row" if last > first else ""
    return f"is not CSV: {error}{up_to}"
