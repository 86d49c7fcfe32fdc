"""The totals of a sheet that is written as CSV, which has none itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from starter.sheets.cells import Money, Row, Sheet, cells_of, each_row
from starter.sheets.totals import ColumnTotals
from starter.sheets.workbook import SheetTotal, WrittenSheet


def measured(sheet: Sheet) -> tuple[Sheet, Callable[[], WrittenSheet]]:
    """Return the sheet, to be written once, and what gives its rows and totals after that."""
    totals = ColumnTotals(sheet.columns)
    count = 0

    async def rows() -> AsyncIterator[Row]:
        nonlocal count
        async for row in each_row(sheet.rows):
            totals.add(cells_of(row))
            count += 1
            yield row

    def result() -> WrittenSheet:
        found = {}
        for currency in totals.currencies():
            for number, column in enumerate(sheet.columns):
                if (total := totals.of(number, currency)) is not None:
                    value = total.amount if isinstance(total, Money) else total
                    found[column.name, currency] = SheetTotal(value, "")
        return WrittenSheet(count, found, sheet.columns, ())

    return replace(sheet, rows=rows()), result
