"""Sheets as CSV: a heading, then the rows. No totals: a sum over a column is the total."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from typing import IO

from billing.report.canonical import format_instant
from starter.sheets.cells import Cell, Formula, Money, Sheet, cells_of, each_row

# A spreadsheet reads text with such a beginning as a formula, and customers choose the names of workspaces.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_CHUNK = 64 * 1024  # characters


def spreadsheet_text(text: str) -> str:
    """Return the text as a cell of CSV that no spreadsheet reads as a formula: with an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_cell(value: Cell) -> str:
    """Return a value as CSV has it: amounts in major units without currency, instants in UTC as ISO 8601."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return spreadsheet_text(value)
        case Money():
            return f"{value.amount:f}"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return format_instant(value)
        case date():
            return value.isoformat()
        case Formula():
            return csv_cell(value.value)
        case _:
            return str(value)


async def csv_chunks(sheet: Sheet) -> AsyncIterator[bytes]:
    """Yield the sheet as CSV in UTF-8, in chunks, while its rows are read."""
    text = io.StringIO()
    writer = csv.writer(_Lines(text), lineterminator="\r\n")
    writer.writerow([column.name for column in sheet.columns])
    async for row in each_row(sheet.rows):
        writer.writerow([csv_cell(value) for value in cells_of(row)])
        if text.tell() >= _CHUNK:
            yield _taken(text)
    yield _taken(text)


async def write_csv(sheet: Sheet, file: IO[bytes]) -> None:
    """Write the sheet to a binary file."""
    async for chunk in csv_chunks(sheet):
        file.write(chunk)


class _Lines:
    """Ends lines with a newline alone. The writer quotes what is in its own line's end, so it must not know."""

    def __init__(self, text: io.StringIO) -> None:
        self._text = text

    def write(self, line: str) -> None:
        self._text.write(line.removesuffix("\r\n") + "\n")


def _taken(text: io.StringIO) -> bytes:
    content = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return content
