"""One read of a source, from its first page to the record that it succeeded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from activities.sources.catalog import AnySource, definition_of, is_ordered
from activities.sources.cursor import Cursor
from activities.sources.threads import in_thread, opened, read_ahead
from billing.errors import InputError
from billing.text import plural
from billing.usage.rows import RowFault
from sources.config import FilesSource, SqlSource
from sources.errors import Failure, SourceError
from sources.files.finding import ImportFile
from sources.objects import FilesReader
from sources.reading import SourcePage
from sources.sql.query import FIRST, names_since
from sources.sql.reader import open_sql
from storage.arrivals.intake import Intake, IntakeCounts, counts_of, taking
from storage.arrivals.objects import unread_objects
from storage.arrivals.sources import ReadBegun, begin_read, record_files_read
from storage.postgres.database import Database

PAGE = 5000
"""The rows that are read and stored at once."""


@dataclass
class ReadReport:
    """What a read found. `notes`: what a person should know about the source, in words.

    `failing_since`: the first failed read before it, if the last one failed.
    """

    tally: IntakeCounts = field(default_factory=IntakeCounts)
    complete_up_to: datetime | None = None
    notes: list[str] = field(default_factory=list)
    failing_since: datetime | None = None


async def read(
    db: Database, source: AnySource, since: datetime | None, started_at: datetime, page_size: int = PAGE
) -> ReadReport:
    """Read a source once, and record that it succeeded.

    Of a query this reads from the earlier of the cursor, less the overlap, and `since`; without a cursor, everything.
    Of files it reads the objects that were not read yet; an unreadable object does not stop the others.

    Raises:
        SourceError: the source cannot be read. What was stored before stays.
        InputError: the source's secret is missing or wrong.
        DatabaseUnavailableError: our own database fails.
    """
    begun = await begin_read(db, source.name, definition_of(source))
    if isinstance(source, SqlSource):
        report = await _read_sql(db, source, begun, since, started_at, page_size)
    else:
        report = await _read_files(db, source, begun, started_at, page_size)
    report.failing_since = begun.failing_since
    return report


async def _read_sql(
    db: Database, source: SqlSource, begun: ReadBegun, since: datetime | None, started_at: datetime, page_size: int
) -> ReadReport:
    start = _start(source, begun, since)
    report = ReadReport()
    async with opened(open_sql(source)) as reader:
        clock = min(reader.clock(), datetime.now(UTC))
        cursor = Cursor(begun.cursor, clock, ordered=is_ordered(source))
        async with taking(db, source.name, begun.began_at, reopen=source.reopen, snapshot=source.snapshot) as intake:
            await _take(intake, reader.pages(start, page_size), reader.cancel, cursor)
            report.complete_up_to = clock - source.lag
            whole = start is None or not names_since(source.query)
            await intake.finish_query(cursor.at_end, started_at, clock, source.lag, whole=whole)
    report.tally = intake.tally
    if cursor.at_end is not None and not cursor.ordered:
        report.notes.append(
            "the rows are not in the order of their update times, so a read that ends early begins again: end the "
            "query with ORDER BY updated_at, id"
        )
    return report


async def _read_files(
    db: Database, source: FilesSource, begun: ReadBegun, started_at: datetime, page_size: int
) -> ReadReport:
    reader = FilesReader(source)
    listed = await in_thread(reader.objects, reader.cancel)
    unread = set(await unread_objects(db, source.name, definition_of(source), _named(listed.files)))
    report = ReadReport(notes=list(listed.warnings))
    broken: list[str] = []
    for found in listed.files:
        if (found.name, found.etag) not in unread:
            continue
        try:
            report.tally.add(await _read_object(db, source, reader, found, begun, page_size))
        except InputError as error:
            broken.append(str(error))
    if broken:
        others = f"; {plural(len(broken) - 1, 'other file')} cannot be read either" if len(broken) > 1 else ""
        raise SourceError(Failure.QUERY, broken[0] + others)
    report.complete_up_to = reader.clock() - source.lag
    await record_files_read(db, source.name, counts_of(report.tally, started_at, report.complete_up_to))
    return report


async def _read_object(
    db: Database, source: FilesSource, reader: FilesReader, found: ImportFile, begun: ReadBegun, page_size: int
) -> IntakeCounts:
    async with taking(db, source.name, begun.began_at, reopen=source.reopen, path=found.name) as intake:
        await _take(intake, reader.pages(found, page_size), reader.cancel, None)
        await intake.finish_file(found.etag, definition_of(source))
    return intake.tally


async def _take(intake: Intake, pages: Iterator[SourcePage], cancel: Callable[[], None], cursor: Cursor | None) -> None:
    async with aclosing(read_ahead(pages, cancel)) as ahead:
        async for page in ahead:
            moved = None if cursor is None else cursor.after(page.rows)
            await intake.add_page(page.rows, _faults(page), moved)


def _named(files: Iterable[ImportFile]) -> list[tuple[str, str]]:
    return [(each.name, each.etag) for each in files]


def _faults(page: SourcePage) -> list[RowFault]:
    return [
        RowFault(fault.line, fault.column, fault.reason, fault.other, row.instance_id)
        for row in page.refused
        for fault in row.faults
    ]


def _start(source: SqlSource, begun: ReadBegun, since: datetime | None) -> datetime | None:
    if begun.cursor is None:
        return None
    start = (begun.cursor if since is None else min(begun.cursor, since)) - source.overlap
    return start if start > FIRST else None
