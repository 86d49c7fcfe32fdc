"""The items of a statement in temporary files, one for each line, so that memory does not grow with them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import IO

from billing.statement.model import StatementItem

_IN_MEMORY = 64 * 1024  # bytes of each line; more of them go to a file


class ItemSpool:
    """Items, written once and read by line as often as needed. They disappear when it is closed."""

    def __init__(self) -> None:
        self._files: dict[int, IO[str]] = {}

    def add(self, item: StatementItem) -> None:
        """Append an item to those of its line."""
        file = self._files.get(item.line_no)
        if file is None:
            file = tempfile.SpooledTemporaryFile(_IN_MEMORY, mode="w+", encoding="utf-8", newline="\n")  # noqa: SIM115
            self._files[item.line_no] = file
        file.write(_encode(item))

    def of_line(self, line_no: int) -> Iterator[StatementItem]:
        """Yield the line's items in the order in which they were added. One iteration of a line at a time."""
        file = self._files.get(line_no)
        if file is None:
            return
        file.seek(0)
        for text in file:
            yield _decode(line_no, text)

    def close(self) -> None:
        """Remove the items."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def _encode(item: StatementItem) -> str:
    row = (
        *(item.instance_id, item.workspace_id, item.project_id, item.start.isoformat(), item.end.isoformat()),
        *(item.intervals, item.duration_us, str(item.quantity), str(item.credits), str(item.amount)),
    )
    return json.dumps(row) + "\n"


def _decode(line_no: int, text: str) -> StatementItem:
    instance, workspace, project, start, end, intervals, duration_us, *figures = json.loads(text)
    return StatementItem(
        *(line_no, instance, workspace, project, datetime.fromisoformat(start), datetime.fromisoformat(end)),
        *(intervals, duration_us, *map(Decimal, figures)),
    )
