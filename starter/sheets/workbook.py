"""A workbook (XLSX) that is written sheet by sheet, row by row, in flat memory."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from starter.sheets.cells import Cell, Formula, Money, Row, Sheet, SheetColumn, StrongRow, each_row
from starter.sheets.formats import CellFormats
from starter.sheets.totals import ColumnTotals, letters, quoted_sheet, sum_where

ROWS = 1_048_576
"""The rows that a sheet of XLSX can have."""
_KEPT_FREE = 40
"""Rows at a sheet's end for a note and the totals, one by currency."""
_WIDEST = 60
_PRINTED = 14  # columns that are still legible on one page
_LONGEST_TEXT = 32_767
# A workbook says when it was made; a fixed instant gives the same bytes for the same content.
_MADE = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SheetTotal:
    """The sum of a column, exactly, and the cell that has it: `'Lines'!F12`."""

    value: Decimal
    cell: str


@dataclass(frozen=True)
class WrittenSheet:
    """A sheet that was written: how many rows, and its totals by column and currency (`USD`; empty if it has none)."""

    rows: int
    totals: Mapping[tuple[str, str], SheetTotal]
    columns: Sequence[SheetColumn]
    parts: Sequence[tuple[str, int]]

    def sum_where(self, column: str, value: str | int, summed: str) -> str:
        """Return a formula, without its `=`, that sums one column where another has this value."""
        names = [each.name for each in self.columns]
        return sum_where(names.index(column), value, names.index(summed), self.parts)


class SheetBook:
    """A workbook being written. Rows go to a temporary file at once, so memory does not grow with them.

        async with SheetBook() as book:
            written = await book.write(sheet)
            await book.save(file)

    Rows beyond what a sheet of XLSX can have continue on a second sheet, `Lines (2)`, whose totals are those of both.
    """

    def __init__(self, *, rows: int = ROWS) -> None:
        """Begin a workbook; `rows`: the most rows of a sheet."""
        self._most = rows
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> SheetBook:
        import xlsxwriter  # only here: a command that writes none need not load it

        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="perdure-sheets-")))
        self._path = self._folder / "book.xlsx"
        self._book = xlsxwriter.Workbook(str(self._path), {"constant_memory": True, "tmpdir": str(self._folder)})
        self._book.set_properties({"created": _MADE.replace(tzinfo=None)})
        self._formats = CellFormats(self._book)
        self._reserved: dict[str, Any] = {}
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._closed:  # it holds open files
                self._close()
        finally:
            await self._stack.aclose()

    def reserve(self, *names: str) -> None:
        """Give these sheets the next places in the workbook; they can be written later."""
        for name in names:
            self._reserved[name] = self._book.add_worksheet(name)

    async def write(self, sheet: Sheet) -> WrittenSheet:
        """Write a sheet: its heading, its rows, and totals of the columns that have them."""
        writing = _Writing(self._book, self._formats, sheet, self._most, self._reserved.pop(sheet.name, None))
        async for row in each_row(sheet.rows):
            writing.add(row)
        return writing.finish()

    async def save(self, file: IO[bytes]) -> None:
        """Complete the workbook and write it to a binary file, which need not be seekable."""
        await asyncio.to_thread(self._close)
        with self._path.open("rb") as content:
            await asyncio.to_thread(shutil.copyfileobj, content, file)

    def _close(self) -> None:
        self._closed = True
        if not self._book.worksheets():
            self._book.add_worksheet("Empty")
        self._book.close()


@dataclass
class _Writing:
    """One sheet that is being written, with its continuations."""

    book: Any
    formats: CellFormats
    sheet: Sheet
    most: int
    reserved: Any = None
    parts: list[tuple[str, int]] = field(default_factory=list)
    """The finished parts: the name of each, and the number of its last row of data, from 1."""
    count: int = 0

    def __post_init__(self) -> None:
        self.totals = ColumnTotals(self.sheet.columns)
        self._begin(self.reserved or self.book.add_worksheet(self.sheet.name))

    def _begin(self, page: Any) -> None:
        self.page = page
        self.row = 1
        self.widths = [len(column.name) + 2 for column in self.sheet.columns]
        for number, column in enumerate(self.sheet.columns):
            page.write_string(0, number, column.name, self.formats.heading)

    def add(self, row: Row) -> None:
        """Write one row."""
        if self.row >= self.most - _KEPT_FREE:
            self._continue()
        strong = isinstance(row, StrongRow)
        cells = row.cells if isinstance(row, StrongRow) else row
        for number, value in enumerate(cells):
            self._put(number, value, strong=strong)
        self.totals.add(cells)
        self.row += 1
        self.count += 1

    def finish(self) -> WrittenSheet:
        """Write the totals, and what the last part needs."""
        if not self.count and self.sheet.empty:
            self.page.write_string(1, 0, self.sheet.empty)
        self._end_part()
        found = {}
        for currency in self.totals.currencies() if self.count else ():
            for number, value in self._total_cells(currency):
                place = f"{quoted_sheet(self.page.get_name())}!{letters(number)}{self.row + 1}"
                found[self.sheet.columns[number].name, currency] = SheetTotal(value, place)
            self.row += 1
        return WrittenSheet(self.count, found, self.sheet.columns, self.parts)

    def _total_cells(self, currency: str) -> list[tuple[int, Decimal]]:
        """Write the row of totals of a currency. Returns the columns with their totals."""
        found = []
        for number, column in enumerate(self.sheet.columns):
            shown: Cell = None
            if column.total and (total := self.totals.of(number, currency)) is not None:
                shown = Formula(self.totals.formula(number, currency, self.parts), total)
                found.append((number, total.amount if isinstance(total, Money) else total))
            elif column.currency:
                shown = currency
            elif number == 0:
                shown = "Total"
            self._put(number, shown, strong=True, total=True)
        return found

    def _continue(self) -> None:
        name = f"{self.sheet.name} ({len(self.parts) + 2})"
        self.page.write_string(self.row, 0, f"continues on the sheet {name}", self.formats.heading)
        self._end_part()
        self._begin(self.book.add_worksheet(name))

    def _end_part(self) -> None:
        self.parts.append((self.page.get_name(), self.row))
        self.page.freeze_panes(1, 0)
        self.page.set_landscape()
        self.page.repeat_rows(0)
        if len(self.sheet.columns) <= _PRINTED:
            self.page.fit_to_pages(1, 0)
        if self.row > 1:
            self.page.autofilter(0, 0, self.row - 1, len(self.sheet.columns) - 1)
        for number, column in enumerate(self.sheet.columns):
            self.page.set_column(number, number, column.width or min(self.widths[number] + 1, _WIDEST))

    def _put(self, number: int, value: Cell, *, strong: bool, total: bool = False) -> None:
        column = self.sheet.columns[number]
        form = self.formats.of(value, column, strong=strong, total=total)
        width = put_cell(self.page, self.row, number, value, form)
        self.widths[number] = max(self.widths[number], width)


def put_cell(page: Any, row: int, number: int, value: Cell, form: Any) -> int:
    """Write a cell by the type of its value. Returns how wide it is, in characters.

    Decimals are written as they are, and a spreadsheet keeps 15 digits of them.
    """
    match value:
        case None:
            page.write_blank(row, number, None, form)
            return 0
        case bool():
            page.write_boolean(row, number, value, form)
            return 5
        case str():
            page.write_string(row, number, _text(value), form)
            return len(value)
        case Formula():
            plain = value.value.amount if isinstance(value.value, Money) else value.value
            page.write_formula(row, number, value.text, form, plain or 0)
            return len(str(plain)) + 3
        case Money():
            page.write_number(row, number, value.amount or 0, form)  # not 0E-8
            return len(str(value.amount)) + 3
        case datetime() if value.year >= 1900:
            page.write_datetime(row, number, value.astimezone(UTC).replace(tzinfo=None), form)
            return 19
        case date() if value.year >= 1900:
            page.write_datetime(row, number, value, form)
            return 10
        case date():  # a spreadsheet has no days before 1900
            page.write_string(row, number, value.isoformat(), form)
            return 19
        case _:
            page.write_number(row, number, value or 0, form)
            return len(str(value)) + 2


def _text(text: str) -> str:
    text = text[:_LONGEST_TEXT]
    # XlsxWriter takes such a text for XML of its own.
    return f" {text}" if text.startswith("<r>") and text.endswith("</r>") else text
