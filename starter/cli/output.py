"""Everything that the commands print: text, tables, JSON, progress, and instants and durations for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from textwrap import indent, wrap
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from billing.errors import MismatchError
from billing.report.canonical import format_instant

_WIDEST = 100_000
_COMMAND = re.compile("`[^`]*`")
_GLUE = "\0"  # stands for a space at which a line must not end

_out = Console(highlight=False, soft_wrap=True, emoji=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """Print text on stdout; nothing in it is interpreted as markup. A terminal's lines end between words."""
    _out.print(_wrapped(_out, text), markup=False)


def complain(line: str) -> None:
    """Print text as one line on stderr; nothing in it is interpreted as markup. A terminal's end between words."""
    _err.print(_wrapped(_err, " ".join(line.split())), markup=False)


def _wrapped(console: Console, text: str) -> str:
    """Return the text in lines as wide as the terminal, but with every command and path in one piece."""
    if not console.is_terminal:
        return text
    return "\n".join(_wrapped_line(line, console.width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), line)
    margin = " " * (len(line) - len(line.lstrip()) + 2)
    lines = wrap(whole, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_GLUE, " ")


def when(
    at: datetime | None, precision: Literal["minutes", "seconds", "microseconds"] = "seconds", *, zone: bool = True
) -> str:
    """Format an instant for people, in UTC: `2022-06-01 00:00:00 UTC`. None becomes `-`.

    Args:
        at: an aware instant.
        precision: the smallest unit to show.
        zone: whether to append ` UTC`; in a table, the column's heading says so once.
    """
    if at is None:
        return "-"
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", precision)
    return f"{text} UTC" if zone else text


def json_instant(at: datetime | None) -> str | None:
    """Format an instant for JSON. Returns None for None."""
    return None if at is None else format_instant(at)


def hours(duration_us: int) -> str:
    """Format a duration in microseconds for people: `1,234.56 h`."""
    return f"{Decimal(duration_us) / 3_600_000_000:,.2f} h"


def make_table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    """Make an empty table. Columns named in `right` are right-aligned; long values are folded, not cut."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain values. None and the empty text become `-`; nothing is interpreted as markup."""
    table.add_row(*(Text("-" if cell is None or cell == "" else str(cell)) for cell in cells))


def print_table(table: Table) -> None:
    """Print a table on stdout. In a pipe or a file it is as wide as it needs to be, so that no id is folded."""
    if _out.is_terminal:
        _out.print(table)
        return
    console = Console(width=_WIDEST, highlight=False)
    with console.capture() as captured:
        console.print(table, width=Measurement.get(console, console.options, table).maximum)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n"))


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(_json(document) + "\n")


async def print_json_list(documents: AsyncIterator[Mapping[str, object]]) -> None:
    """Print one JSON list while its documents are read, so that memory does not grow with it."""
    separator = "[\n"
    async for document in documents:
        sys.stdout.write(separator + indent(_json(document), "  "))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


async def print_json_with_list(head: Mapping[str, object], name: str, rows: AsyncGenerator[object]) -> None:
    """Print one JSON document whose last field, `name`, is a list, written while its rows are read, one per line.

    If reading fails, the document is left unclosed, so that no parser accepts it as complete. A `MismatchError` comes
    after the last row: the document is closed, and the error raised.
    """
    sys.stdout.write(_json(head).removesuffix("\n}") + f',\n  "{name}": [')
    comma, mismatch = "", None
    try:
        async with aclosing(rows):
            async for row in rows:
                sys.stdout.write(f"{comma}\n    {json.dumps(row, ensure_ascii=False)}")
                comma = ","
    except MismatchError as error:
        mismatch = error
    sys.stdout.write("\n  ]\n}\n" if comma else "]\n}\n")
    if mismatch is not None:
        raise mismatch


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def progress(*columns: ProgressColumn) -> Progress:
    """Show a line of progress on stderr while the block runs, if stderr is a terminal."""
    shown = columns or (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*shown, console=_err, transient=True, disable=not _err.is_terminal)


def shows_progress() -> bool:
    """Return whether `progress` is visible; if not, a long-running command prints lines instead."""
    return _err.is_terminal
