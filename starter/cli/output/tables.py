"""Tables of a document's parts, such as the lines of an invoice; `listing` prints lists of things."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from starter.cli.output import console as streams

_WIDEST = 100_000


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
    if streams.out.is_terminal:
        streams.out.print(table)
        return
    console = Console(width=_WIDEST, highlight=False)
    with console.capture() as captured:
        console.print(table, width=Measurement.get(console, console.options, table).maximum)
    streams.say("\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n"))
