"""Rows of a source, parsed page by page: instances, and rows that are refused with what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from billing.errors import InputError
from billing.usage.parsing import parse_instance
from billing.usage.rows import InstanceRow, RowFault
from sources.files.rows import Row


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot be taken: its instance's id, None if it has none, and what is wrong. Lines are row numbers."""

    instance_id: str | None
    faults: Sequence[RowFault]


@dataclass(frozen=True)
class SourcePage:
    """Some rows of a source, in its order; an instance's `line` is the row's number in the query or the file."""

    rows: list[InstanceRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many rows were read."""
        return len(self.rows) + len(self.refused)


class SourceReader(Protocol):
    """What the readers of all kinds can do."""

    def clock(self) -> datetime:
        """Return the source's own clock, in UTC, of when the reader was opened: later commits may be missing."""

    def cancel(self) -> None:
        """End what the reader waits for, from another thread; it then raises a SourceError of `Failure.CANCELLED`."""


def now() -> datetime:
    """Return the current instant."""
    return datetime.now(UTC)


def parse_page(rows: Iterable[Row | RowFault], zone: tzinfo, clock: Callable[[], datetime] = now) -> SourcePage:
    """Parse rows that have our columns. `zone` is that of times without one; `clock` says when the rows arrived."""
    page = SourcePage()
    received = clock()
    for row in rows:
        if isinstance(row, RowFault):
            page.refused.append(RefusedRow(None, [row]))
            continue
        line, fields = row
        parsed = parse_instance(line, fields, received, zone)
        if isinstance(parsed, InstanceRow):
            page.rows.append(parsed)
        else:
            page.refused.append(RefusedRow(_id(fields.get("id")), parsed))
    return page


def pages_of(
    rows: Iterator[Row | RowFault], size: int, zone: tzinfo, clock: Callable[[], datetime] = now
) -> Iterator[SourcePage]:
    """Yield the rows in pages of `size`, the last one even if reading fails after it.

    Raises:
        InputError: as the rows' iterator does, once the rows before are yielded.
    """
    broken: InputError | None = None
    while broken is None:
        batch: list[Row | RowFault] = []
        try:
            while len(batch) < size:
                batch.append(next(rows))
        except StopIteration:
            if batch:
                yield parse_page(batch, zone, clock)
            return
        except InputError as error:
            broken = error
        if batch:
            yield parse_page(batch, zone, clock)
    raise broken


def _id(value: object) -> str | None:
    """Return a row's id as far as it can be shown."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = "" if value is None else str(value).strip()
    return "".join(char if char.isprintable() else "?" for char in text)[:255] or None
