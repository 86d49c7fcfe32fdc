"""The one printer of lists of things: a table that fits the terminal, or a form for another program."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.text import Text

from billing.errors import InputError
from billing.report.canonical import format_instant
from billing.text import plural
from starter.cli.output import console, documents, layout, spreadsheets
from starter.cli.output.columns import Column, Value
from starter.cli.output.progressing import progress_when_slow

T = TypeVar("T")
_SAID_ROWS = 500
_FILES = (".csv", ".xlsx")


class Form(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    NAME = "name"


@dataclass(frozen=True)
class View:
    """How a person wants a list: its form, the column that it is sorted by, how many rows, and in which file."""

    form: Form = Form.TABLE
    sort: str | None = None
    descending: bool = False
    limit: int | None = None
    path: Path | None = None

    @property
    def is_json(self) -> bool:
        """Whether the result is JSON."""
        return self.form is Form.JSON

    @property
    def for_people(self) -> bool:
        """Whether a person reads it: titles, notes and totals have no place in the other forms."""
        return self.form in (Form.TABLE, Form.WIDE)


def view(
    form: str | None,
    columns: Sequence[Column[Any]],
    *,
    as_json: bool,
    sort: str | None = None,
    limit: int | None = None,
) -> View:
    """Return what the options `-o`, `--json`, `--sort` and `--limit` of a command ask for.

    Raises:
        InputError: one of them names nothing that exists; the message lists what does.
    """
    path = Path(form) if form is not None and form.lower().endswith(_FILES) else None
    if form is not None and path is None and form not in list(Form):
        raise InputError(f"-o {form}: write one of {', '.join(Form)}, or a file's name that ends in .csv or .xlsx")
    if as_json and form not in (None, Form.JSON):
        raise InputError(f"--json and -o {form} exclude each other")
    name = None if sort is None else sort.removeprefix("-").replace("-", "_").lower()
    if name is not None and name not in [column.key for column in columns]:
        raise InputError(f"--sort {sort}: write one of {', '.join(column.key for column in columns)}, or -NAME")
    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit}: write a number of rows, at least 1")
    shown = Form.JSON if as_json else Form(path.suffix[1:].lower() if path else form or Form.TABLE)
    if shown is Form.XLSX and path is None:
        spreadsheets.refuse_terminal("XLSX", "-o FILE.xlsx")
    return View(shown, name, (sort or "").startswith("-"), limit, path)


async def listing(
    rows: AsyncIterable[T] | Iterable[T],
    columns: Sequence[Column[T]],
    shown: View,
    *,
    empty: str,
    title: str = "",
    document: Callable[[T], Mapping[str, object]] | None = None,
) -> list[T]:
    """Print a list of things on stdout, in the form that was asked for. Returns the rows that it printed as a table.

    Other forms are written while the rows are read, unless they are sorted.

    Args:
        rows: what to print, in the order to print it in.
        columns: its columns; the first is its name.
        shown: the form, the order and how many.
        empty: what a person is filled if there is nothing: a sentence.
        title: a heading above the table.
        document: a row's JSON; None: the columns' values.
    """
    found = _Limited(_sorted(rows, columns, shown), shown.limit)
    async with aclosing(found.rows()) as those:
        match shown.form:
            case Form.JSON:
                await documents.print_json_list((document or _document(columns))(row) async for row in those)
            case Form.CSV | Form.XLSX as form:
                await spreadsheets.write(those, columns, form, shown.path)
            case Form.NAME:
                async for row in those:
                    sys.stdout.write(f"{_plain(columns[0].value(row))}\n")
            case _:
                every = await _all(those)
                _print_table(every, columns, shown, title, empty)
                if found.more:
                    console.say(f"({plural(len(every), 'row')}; there are more: --limit N shows N, no --limit all)")
                return every
    return []


async def _all(rows: AsyncIterator[T]) -> list[T]:
    """Return all rows, and show how many there are yet if they take long."""
    every: list[T] = []
    with progress_when_slow() as say:
        async for row in rows:
            every.append(row)
            if len(every) % _SAID_ROWS == 0:
                say(f"{len(every):,} rows read")
    return every


class _Limited(Generic[T]):
    """Rows up to a limit, and whether there were more."""

    def __init__(self, rows: AsyncIterator[T], limit: int | None) -> None:
        self._rows = rows
        self._limit = limit
        self.more = False

    async def rows(self) -> AsyncGenerator[T]:
        count = 0
        async for row in self._rows:
            if count == self._limit:
                self.more = True
                return
            count += 1
            yield row


async def _sorted(rows: AsyncIterable[T] | Iterable[T], columns: Sequence[Column[T]], shown: View) -> AsyncIterator[T]:
    if shown.sort is None:
        async for row in _each(rows):
            yield row
        return
    column = next(column for column in columns if column.key == shown.sort)
    every = [row async for row in _each(rows)]
    value: Callable[[T], Any] = column.value  # of one type in a column: instants, numbers or text
    known = sorted((row for row in every if value(row) is not None), key=value, reverse=shown.descending)
    for row in (*known, *(row for row in every if value(row) is None)):
        yield row


async def _each(rows: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def _print_table(rows: Sequence[T], columns: Sequence[Column[T]], shown: View, title: str, empty: str) -> None:
    if not rows:
        console.say(empty)
        return
    wide = shown.form is Form.WIDE
    chosen: Any = [column for column in columns if wide or column.show != "wide"]
    cells = [[layout.Cell(c.shown(row), c.style(row) if c.style else "") for c in chosen] for row in rows]
    room = None if wide or not console.is_terminal() else console.width()
    if room is not None:  # a column without any value is a waste of it
        filled = [
            i for i, column in enumerate(chosen) if column.show == "always" or any(r[i].text != "-" for r in cells)
        ]
        chosen, cells = [chosen[i] for i in filled], [[row[i] for i in filled] for row in cells]
    if title:
        console.say(title, "bold")
    if not console.is_terminal():
        console.out.file.writelines(layout.plain_lines(chosen, cells))
        return
    console.out.print(Text("\n").join(layout.lines(chosen, cells, room)))
    if layout.left_out(chosen, cells, room):
        console.say("(-o wide shows more columns)", "dim")


def _document(columns: Sequence[Column[T]]) -> Callable[[T], Mapping[str, object]]:
    def document(row: T) -> dict[str, object]:
        values = {column.key: column.value(row) for column in columns}
        return {key: value if isinstance(value, bool | int | None) else _plain(value) for key, value in values.items()}

    return document


def _plain(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return format_instant(value) if isinstance(value, datetime) else str(value)
