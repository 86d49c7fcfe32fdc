"""Workbooks as another program reads them, with every number as the decimal that is written in the file."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

import openpyxl

Table = list[tuple[Any, ...]]


def opened(content: bytes) -> dict[str, Table]:
    """Return the rows of each sheet, with the values of formulas; floats are the decimals that they stand for."""
    book = openpyxl.load_workbook(BytesIO(content), data_only=True)
    return {page.title: [tuple(map(_exact, row)) for row in page.iter_rows(values_only=True)] for page in book}


def formulas(content: bytes) -> dict[str, dict[str, str]]:
    """Return the formulas of each sheet by cell."""
    book = openpyxl.load_workbook(BytesIO(content))
    return {
        page.title: {cell.coordinate: cell.value for row in page.iter_rows() for cell in row if cell.data_type == "f"}
        for page in book
    }


def column(table: Table, name: str) -> list[Any]:
    """Return a column of a sheet without its heading and its totals."""
    place = table[0].index(name)
    return [row[place] for row in table[1:] if row[0] != "Total"]


def total(table: Table, name: str) -> Decimal:
    """Return the sum of a column, exactly."""
    return sum((Decimal(value) for value in column(table, name) if value is not None), Decimal(0))


def totals(table: Table, name: str) -> list[Decimal]:
    """Return what the rows of totals say."""
    place = table[0].index(name)
    return [Decimal(row[place]) for row in table[1:] if row[0] == "Total"]


def _exact(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value
