"""The totals of a sheet's columns: summed exactly while rows are written, and as formulas that sum them again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.money import EXACT
from starter.sheets.cells import Cell, Money, SheetColumn


class ColumnTotals:
    """The sums of the columns that have totals, by the currency of the row."""

    def __init__(self, columns: Sequence[SheetColumn]) -> None:
        self._summed = [number for number, column in enumerate(columns) if column.total]
        self._currency = next((number for number, column in enumerate(columns) if column.currency), None)
        self._sums: dict[tuple[int, str], Decimal] = {}
        self._codes: dict[tuple[int, str], str] = {}
        """The currency of a column's amounts, by what the column of currencies says; counts have none."""

    def add(self, cells: Sequence[Cell]) -> None:
        """Add a row's numbers."""
        code = "" if self._currency is None else str(cells[self._currency] or "")
        for number in self._summed:
            value = cells[number]
            if isinstance(value, Money):
                self._codes.setdefault((number, code), value.currency)
                value = value.amount
            if isinstance(value, Decimal | int):
                before = self._sums.get((number, code), Decimal(0))
                self._sums[number, code] = EXACT.add(before, Decimal(value))

    def currencies(self) -> list[str]:
        """Return the currencies that have totals, in order; an empty name for a sheet without currencies."""
        return sorted({code for _, code in self._sums})

    def of(self, number: int, code: str) -> Money | Decimal | None:
        """Return the total of a column in a currency, None if it has none."""
        found = self._sums.get((number, code))
        currency = self._codes.get((number, code))
        return found if found is None or currency is None else Money(found, currency)

    def formula(self, number: int, code: str, parts: Sequence[tuple[str, int]]) -> str:
        """Return the formula that sums a column of a currency over all parts of the sheet."""
        if self._currency is not None:
            return "=" + sum_where(self._currency, code, number, parts)
        return "=" + "+".join(f"SUM({_range(name, number, last)})" for name, last in parts)


def sum_where(number: int, value: str | int, summed: int, parts: Sequence[tuple[str, int]]) -> str:
    """Return a formula, without its `=`, that sums a column over all parts, where another column has this value."""
    if isinstance(value, str):
        value = '"' + value.replace('"', '""') + '"'
    return "+".join(f"SUMIF({_range(name, number, last)},{value},{_range(name, summed, last)})" for name, last in parts)


def letters(number: int) -> str:
    """Return the name of a column, counted from 0: `A`, `Z`, `AA`."""
    before, last = divmod(number, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + last)


def quoted_sheet(name: str) -> str:
    """Return a sheet's name as formulas have it."""
    return "'" + name.replace("'", "''") + "'"


def _range(name: str, number: int, last: int) -> str:
    letter = letters(number)
    return f"{quoted_sheet(name)}!${letter}$2:${letter}${last}"
