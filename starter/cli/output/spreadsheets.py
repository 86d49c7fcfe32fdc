"""Lists as CSV and XLSX, on standard output or in a file."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar

from billing.errors import InputError
from billing.text import plural
from starter.cli.exits import CommandError
from starter.cli.output import console
from starter.cli.output.columns import Column
from starter.sheets import Cell, Money, Row, Sheet, SheetColumn, csv_chunks, replacing, write_csv, write_xlsx

T = TypeVar("T")
_XLSX = "xlsx"


def refuse_terminal(what: str, option: str) -> None:
    """Refuse to write a binary format to a terminal; `option`: how to name a file.

    Raises:
        InputError: standard output is a terminal.
    """
    if sys.stdout.isatty():
        raise InputError(f"{what} cannot be shown in a terminal: name a file with {option}")


async def write(rows: AsyncIterator[T], columns: Sequence[Column[T]], form: str, path: Path | None) -> None:
    """Write the rows as `csv` or `xlsx` to a file, or to standard output if `path` is None.

    Raises:
        CommandError: the file cannot be written.
    """
    if path is not None:
        await _save(rows, columns, form, path)
    elif form == _XLSX:
        await write_xlsx([_sheet(rows, columns, form)], sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        async for chunk in csv_chunks(_sheet(rows, columns, form)):
            sys.stdout.write(chunk.decode())


async def _save(rows: AsyncIterator[T], columns: Sequence[Column[T]], form: str, path: Path) -> None:
    counted = _Counted(rows)
    sheet = _sheet(counted.rows(), columns, form)
    try:
        with replacing(path) as file:
            if form == _XLSX:
                await write_xlsx([sheet], file)
            else:
                await write_csv(sheet, file)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from error
    console.complain(f"{plural(counted.count, 'row')} written to {path}")


class _Counted(Generic[T]):
    """Rows, and how many there were."""

    def __init__(self, rows: AsyncIterator[T]) -> None:
        self._rows = rows
        self.count = 0

    async def rows(self) -> AsyncIterator[T]:
        async for row in self._rows:
            self.count += 1
            yield row


def _sheet(rows: AsyncIterator[T], columns: Sequence[Column[T]], form: str) -> Sheet:
    async def cells() -> AsyncIterator[Row]:
        async for row in rows:
            yield [_cell(column, row) for column in columns]

    shown = [
        SheetColumn(
            column.name if form == _XLSX else column.key,
            total=column.currency is not None,
            currency=column.name == "Currency",
            wrap=column.prose,
        )
        for column in columns
    ]
    return Sheet("List", shown, cells())


def _cell(column: Column[T], row: T) -> Cell:
    value = column.value(row)
    if column.currency is not None and isinstance(value, Decimal):
        return Money(value, column.currency(row))
    return value
