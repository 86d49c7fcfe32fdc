"""Rows as lines of text that fit a terminal: as many columns as there is room for, and no id broken or cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from starter.cli.output.columns import Column

_GAP = 2
_MARGIN = 2
_LEAST_PROSE = 24
_LEAST_CUT = 12


@dataclass(frozen=True)
class Cell:
    """A cell of one row: its text, and its style."""

    text: str
    style: str = ""


def lines(columns: Sequence[Column[Any]], rows: Sequence[Sequence[Cell]], room: int | None) -> list[Text]:
    """Return the heading and the rows, as lines of at most `room` columns; None: as long as they need.

    If even the columns that always show do not fit, the first cell has a line to itself, and the others follow below.
    """
    widths = _widths(columns, rows)
    heading = [Cell(column.name, "bold") for column in columns]
    stacked = room is not None and _needed(columns, widths, _always(columns)) > room
    if not stacked:
        chosen = _chosen(columns, widths, room)
        return [line for row in (heading, *rows) for line in _row(columns, row, widths, chosen, room)]
    assert room is not None
    rest = room - _MARGIN
    chosen = _chosen(columns[1:], widths[1:], rest)
    chosen = [index + 1 for index in chosen]
    found = []
    for row in (heading, *rows):
        found.append(_text(row[0], 0, right=False))
        found += [Text(" " * _MARGIN) + line for line in _row(columns, row, widths, chosen, rest)]
    return found


def left_out(columns: Sequence[Column[Any]], rows: Sequence[Sequence[Cell]], room: int | None) -> bool:
    """Return whether `lines` leaves out a column for want of room."""
    return room is not None and len(_chosen(columns, _widths(columns, rows), room)) < len(columns)


def plain_lines(columns: Sequence[Column[Any]], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Yield the heading and the rows as lines without styles, as long as they need: a tenth of the time of `lines`."""
    widths = _widths(columns, rows)
    for row in ([Cell(column.name) for column in columns], *rows):
        cells = []
        for column, cell, width in zip(columns, row, widths, strict=True):
            space = " " * (width - _length(cell.text))
            cells.append(space + cell.text if column.right else cell.text + space)
        yield (" " * _GAP).join(cells).rstrip() + "\n"


def _widths(columns: Sequence[Column[Any]], rows: Sequence[Sequence[Cell]]) -> list[int]:
    return [max([_length(column.name), *(_length(row[i].text) for row in rows)]) for i, column in enumerate(columns)]


def _length(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _always(columns: Sequence[Column[Any]]) -> list[int]:
    return [index for index, column in enumerate(columns) if column.show == "always"]


def _needed(columns: Sequence[Column[Any]], widths: Sequence[int], chosen: Sequence[int]) -> int:
    """Return the least room for these columns; a sentence can be wrapped, and a name be cut."""
    return sum(_least(columns[i], widths[i]) for i in chosen) + _GAP * (len(chosen) - 1)


def _least(column: Column[Any], width: int) -> int:
    return min(width, _LEAST_PROSE if column.prose else _LEAST_CUT) if column.prose or column.cut else width


def _sizes(
    columns: Sequence[Column[Any]], widths: Sequence[int], chosen: Sequence[int], room: int | None
) -> dict[int, int]:
    """Return the sizes of these columns: those that can be wrapped or cut share what the others leave."""
    left = None if room is None else max(0, room - _needed(columns, widths, chosen))
    sizes = {}
    for index in chosen:
        least = _least(columns[index], widths[index])
        sizes[index] = widths[index] if left is None else min(widths[index], least + left)
        if left is not None:
            left -= sizes[index] - least
    return sizes


def _chosen(columns: Sequence[Column[Any]], widths: Sequence[int], room: int | None) -> list[int]:
    if room is None:
        return list(range(len(columns)))
    chosen = _always(columns)
    for index, column in enumerate(columns):
        if column.show != "always" and _needed(columns, widths, [*chosen, index]) <= room:
            chosen.append(index)
    return sorted(chosen)


def _row(
    columns: Sequence[Column[Any]], row: Sequence[Cell], widths: Sequence[int], chosen: Sequence[int], room: int | None
) -> list[Text]:
    """Return the lines of one row: more than one if a sentence is wrapped."""
    cells = []
    for index, size in _sizes(columns, widths, chosen, room).items():
        parts = [row[index].text]
        if columns[index].cut and _length(row[index].text) > size:
            parts = [_cut(row[index].text, size)]
        if columns[index].prose and room is not None:
            parts = wrap(row[index].text, size, break_long_words=False, break_on_hyphens=False) or [""]
        cells.append(([Cell(part, row[index].style) for part in parts], size, columns[index].right))
    found = []
    for number in range(max(len(those) for those, *_ in cells)):
        line = Text()
        for those, size, right in cells:
            cell = those[number] if number < len(those) else Cell("")
            line.append_text(_text(cell, size, right=right)).append(" " * _GAP)
        line.rstrip()
        found.append(line)
    return found


def _cut(text: str, size: int) -> str:
    cut = Text(text)
    cut.truncate(size, overflow="ellipsis")
    return cut.plain


def _text(cell: Cell, size: int, *, right: bool) -> Text:
    space = Text(" " * max(0, size - cell_len(cell.text)))
    return space + Text(cell.text, cell.style) if right else Text(cell.text, cell.style) + space
