"""Workbooks as another program reads them, with every number as the decimal that is written in the file."""

from __future__ import annotations

import re
from decimal import Decimal
from io import BytesIO
from typing import Any

import openpyxl

_SUM = re.compile(
    r"""SUM(?:IF)?\('([^']+)'!\$([A-Z]+)\$2:\$[A-Z]+\$([0-9]+)"""
    r"""(?:,("[^"]*"|[0-9]+),'[^']+'!\$([A-Z]+)\$2:\$[A-Z]+\$[0-9]+)?\)"""
)
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
    at = table[0].index(name)
    return [Decimal(row[at]) for row in table[1:] if row[0] == "Total"]


def place(letters: str) -> int:
    """Return the index of a column by its letters: 0 of `A`, 26 of `AA`."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - ord("A") + 1
    return found - 1


def computed(content: bytes, formula: str) -> Decimal:
    """Return what a formula of SUM and SUMIF over whole columns has, computed from the cells."""
    tables = opened(content)
    whole = Decimal(0)
    for sheet, letter, last, code, summed in _SUM.findall(formula):
        rows = tables[sheet][1 : int(last)]
        numbers = [row[place(summed or letter)] for row in rows]
        if code:
            keys = [str(row[place(letter)]) for row in rows]
            numbers = [n for n, key in zip(numbers, keys, strict=True) if key == code.strip('"')]
        whole += sum((Decimal(number) for number in numbers if number is not None), Decimal(0))
    assert _SUM.sub("", formula).strip("=+") == "", formula
    return whole


def _exact(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value
