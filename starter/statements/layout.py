"""The columns of instances on paper: how wide each is, and where long ids break.

Typst lays out ten thousand cells with much memory and time, so several instances share one row of its table, and each
of its cells has a line for each of them. For that, all lines have one height, and no line may break by itself: ids are
set in a font whose characters have one width, and are broken here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from billing.statement.model import Statement
from starter.statements import words
from starter.statements.letterhead import Paper
from starter.statements.view import ItemRow, StatementView

MARGIN = 42.0
"""On both sides of the page, in points."""
_PAPER = {Paper.A4: 595.28, Paper.LETTER: 612.0}
_CHARACTER = 3.62  # of DejaVu Sans Mono at 6 points
_DIGIT = 3.6  # of Libertinus Serif at 7.5 points
_GAP = 8.0
_INSTANT = 58.0
_INTERVALS = 16.0
_OF_A_UUID = 36
_FEWEST = 9  # characters of an id that share a line
_TOGETHER = 10
_MOST_LINES = 20
_WIDE = ("W", "F")


@dataclass(frozen=True)
class ItemColumn:
    """A column of items. `field` is that of `ItemRow`; `width` in points; ids break after `characters`."""

    field: str
    heading: str
    width: float
    left: bool = True
    characters: int = 0


def item_columns(statement: Statement, view: StatementView, paper: Paper) -> tuple[ItemColumn, ...]:
    """Return the columns that the statement needs, together as wide as the paper's text."""
    extent, figures = statement.extent, _figures(statement, view)
    ids = [("instance", "Instance", extent.instance)]
    ids += [("workspace", "Workspace", extent.workspace)] if view.has_workspaces else []
    ids += [("project", "Project", extent.project)] if view.has_projects else []
    room = _PAPER[paper] - 2 * MARGIN - sum(column.width for column in figures)
    characters = _shared([max(length, _FEWEST) for _, _, length in ids], int((room - len(ids) * _GAP) / _CHARACTER))
    named = [
        ItemColumn(field, heading, count * _CHARACTER + _GAP, characters=count)
        for (field, heading, _), count in zip(ids, characters, strict=True)
    ]
    left = room - sum(column.width for column in named)
    named[-1] = replace(named[-1], width=named[-1].width + max(left, 0))
    return (*named, *figures)


def item_groups(rows: Iterable[ItemRow], columns: Sequence[ItemColumn]) -> Iterator[list[str]]:
    """Yield groups of a few items: for each column, one text with a line for each of them."""
    group: list[list[list[str]]] = []
    lines = 0
    for row in rows:
        cells = [_broken(getattr(row, column.field), column.characters) for column in columns]
        height = max(map(len, cells))
        if group and (len(group) == _TOGETHER or lines + height > _MOST_LINES):
            yield _joined(group)
            group, lines = [], 0
        group.append([cell + [""] * (height - len(cell)) for cell in cells])
        lines += height
    if group:
        yield _joined(group)


def _figures(statement: Statement, view: StatementView) -> list[ItemColumn]:
    extent = statement.extent
    digits = max((len(section.items_amount) for section in view.sections), default=0)
    credits = len(words.credits_of(extent.credits))
    time = len(words.length(extent.duration_us, seconds=extent.seconds))
    end = _INSTANT + (_INTERVALS if extent.intervals > 1 else 0)
    return [
        ItemColumn("start", "From", _INSTANT),
        ItemColumn("end", "To", end),
        ItemColumn("time", f"Time, {view.clock}", max(time * _DIGIT, 34 if extent.seconds else 30) + _GAP, left=False),
        *([ItemColumn("quantity", "Units", 16 + _GAP, left=False)] if view.has_quantities else []),
        ItemColumn("credits", "Credits", max(credits * _DIGIT, 30) + _GAP, left=False),
        ItemColumn("amount", f"Amount, {view.currency}", max(digits * _DIGIT, 42) + _GAP, left=False),
    ]


def _shared(wanted: list[int], room: int) -> list[int]:
    """Return how many characters each column gets: the first one what it wants, up to that of a UUID, if it can.

    The others share what is left, the shortest first. Room that nobody wants is shared by all.
    """
    given = [min(wanted[0], max(room - _FEWEST * (len(wanted) - 1), _FEWEST), _OF_A_UUID), *(0 for _ in wanted[1:])]
    room -= given[0]
    left = sorted(range(1, len(wanted)), key=lambda number: wanted[number])
    for position, number in enumerate(left):
        given[number] = max(_FEWEST, min(wanted[number], room // (len(left) - position)))
        room -= given[number]
    return [each + max(room, 0) // len(given) for each in given]


def _broken(text: str, most: int) -> list[str]:
    """Return the text in lines of at most `most` characters, of which wide ones count twice; 0: in one line."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    if not most or (len(shown) <= most and shown.isascii()):
        return [shown]
    lines, line, width = [], "", 0
    for each in shown:
        size = 2 if unicodedata.east_asian_width(each) in _WIDE else 1
        if width + size > most:
            lines.append(line)
            line, width = "", 0
        line, width = line + each, width + size
    return [*lines, line]


def _joined(group: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    return ["\n".join(line for cells in column for line in cells) for column in zip(*group, strict=True)]
