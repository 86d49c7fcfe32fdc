"""Tables of a document's parts, such as the lines of an invoice; `listing` prints lists of things.

On a terminal that is too narrow for the table, each row is a paragraph of `heading value` instead: nothing is left out,
and nothing is broken within a word or an id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from starter.cli.output import console

_GAP = "  "
_BETWEEN = " · "


@dataclass
class Table:
    """A table to be printed. Columns named in `right` are right-aligned; a cell can have several lines."""

    title: str
    columns: Sequence[str]
    right: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        """How many rows it has."""
        return len(self.rows)


def make_table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    """Make an empty table. Columns named in `right` are right-aligned."""
    return Table(title, columns, right)


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain values. None and the empty text become `-`; nothing is interpreted as markup."""
    table.rows.append(["-" if cell is None or cell == "" else str(cell) for cell in cells])


def print_table(table: Table) -> None:
    """Print a table on stdout, without rows its title alone. In a pipe or a file it is as wide as it needs to be."""
    if table.title:
        console.say(table.title, "bold")
    if not table.rows:
        return
    widths = [
        max(cell_len(line) for row in (table.columns, *table.rows) for line in row[index].split("\n"))
        for index in range(len(table.columns))
    ]
    if console.is_terminal() and sum(widths) + len(_GAP) * (len(widths) - 1) > console.width():
        for row in table.rows:
            console.out.print(_paragraph(table.columns, row, console.width()))
        return
    lines = _aligned(table, table.columns, widths, "bold")
    for row in table.rows:
        lines += _aligned(table, row, widths)
    console.out.print(Text("\n").join(lines))


def _aligned(table: Table, row: Sequence[str], widths: Sequence[int], style: str = "") -> list[Text]:
    parts = [cell.split("\n") for cell in row]
    lines = []
    for number in range(max(map(len, parts))):
        cells = []
        for name, cell, width in zip(table.columns, parts, widths, strict=True):
            text = cell[number] if number < len(cell) else ""
            space = " " * (width - cell_len(text))
            cells.append(space + text if name in table.right else text + space)
        lines.append(Text(_GAP.join(cells).rstrip(), style))
    return lines


def _paragraph(columns: Sequence[str], row: Sequence[str], room: int) -> Text:
    """Return a row as its first cell, and the others with their headings below it, broken only between them."""
    first, line = row[0].replace("\n", ", "), ""
    headed = f"{columns[0]} {first}"
    lines = [headed if cell_len(headed) <= room else first]
    pairs = [f"{name} {cell}".strip() for name, cell in zip(columns[1:], row[1:], strict=True) if cell != "-"]
    for pair in [pair.replace("\n", ", ") for pair in pairs]:
        longer = f"{line}{_BETWEEN}{pair}" if line else f"  {pair}"
        if line and cell_len(longer) > room:
            lines.append(line)
            longer = f"  {pair}"
        line = longer
    text = "\n".join(console.wrapped_line(each, room) for each in (*lines, line) if each)
    found = Text(text)
    found.stylize("bold", 0, len(lines[0]))
    return found
