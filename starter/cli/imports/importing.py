"""How an import runs: all files are read to their ends, their rows are compared, and what is left is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from billing.errors import InputError, PerdureError
from billing.text import plural
from billing.usage.columns import ColumnNames
from billing.usage.parsing import KINDS, Kind
from billing.usage.rows import FILE, ImportOptions, RowFault
from settings import Settings
from sources.files.finding import ImportFiles
from sources.files.reading import Places, read_rows
from sources.files.rows import Row
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.exits import ExitStatus, status_of
from starter.cli.imports.destinations import Destination
from starter.cli.imports.rejects import Rejects
from starter.cli.imports.report import ImportReport, Stored
from starter.cli.warnings import gather
from storage.postgres.database import Database

_BATCH = 5000  # rows, including refused ones
T = TypeVar("T")
Clock: TypeAlias = Callable[[], datetime]
Progress: TypeAlias = Callable[[str, int], None]


@dataclass(frozen=True)
class Importer(Generic[T]):
    """How one kind of file is parsed and stored. A row is parsed with the instant at which it arrived, and the zone."""

    kind: Kind
    parse: Callable[[int, Mapping[str, object], datetime, tzinfo | None], T | list[RowFault]]
    store: Callable[[Database, ImportOptions, Settings | None], AbstractAsyncContextManager[Destination[T]]]
    counts: tuple[str, ...]


@dataclass(frozen=True)
class ImportOrder:
    """What to import and how.

    `mapping`: columns by the names that the user maps. `zone`: of times without one. `rejects`: the file for refused
    rows. `options`: how the rows are taken. `strict`: warnings make the exit status 3.
    """

    files: ImportFiles
    mapping: Mapping[str, str | None] = field(default_factory=dict)
    zone: tzinfo | None = None
    rejects: Path | None = None
    options: ImportOptions = FILE
    strict: bool = False


class Run(Generic[T]):
    """One import: reads, parses and stores rows, and reports what happened to them."""

    def __init__(self, importer: Importer[T], order: ImportOrder, clock: Clock, *, as_json: bool) -> None:
        files = order.files.files
        places = Places(several=len(files) > 1)
        counts = dict.fromkeys(importer.counts, 0)
        notes = list(order.files.warnings)
        self.report = ImportReport(counts, as_json, places, notes, strict=order.strict, dry_run=order.options.dry_run)
        self._importer = importer
        self._order = order
        self._clock = clock
        self._rejects = None if order.rejects is None else Rejects(order.rejects, places)
        self._read = 0
        self._rows = read_rows(files, _FileColumns(importer.kind, order.mapping), places)

    def check_beginning(self) -> None:
        """Read the first row, so that a wrong file is reported before the database is opened.

        Raises:
            InputError: the first file cannot be read, or its columns are wrong.
        """
        first = next(self._rows, None)
        self._rows = chain([] if first is None else [first], self._rows)

    async def run(self, db: Database, progress: Progress, settings: Settings | None) -> None:
        """Import what can be read of the files, even if reading one fails half-way. Without settings, warn of nothing.

        Raises:
            InputError: a file cannot be read to its end.
            PerdureError: the database failed.
        """
        broken: InputError | None = None
        async with self._importer.store(db, self._order.options, settings) as destination:
            try:
                for good, bad in self._batches():
                    self._add(Stored({}, await destination.add(good)), bad)
                    progress("read", self._read)
            except InputError as error:
                broken = error
            async for stored in destination.store():
                self._add(stored)
                progress("stored", self.report.rows)
        if broken is not None:
            raise broken
        if not self._read:
            self.report.warn(await gather.of_empty_files(db, [file.name for file in self._order.files.files]))

    def finish(self) -> None:
        """Write the refused rows to their file and print the result.

        Raises:
            InputError: the file of refused rows cannot be written; the result is printed before that.
        """
        self.report.finish()
        if self._rejects is not None:
            self._rejects.write()

    def _add(self, stored: Stored, unparsed: Sequence[RowFault] = ()) -> None:
        self.report.add(stored, unparsed)
        if self._rejects is not None:
            self._rejects.refuse(stored.faults)

    def _batches(self) -> Iterator[tuple[list[T], list[RowFault]]]:
        """Yield batches of parsed rows, with the faults of the others; the last batch even if reading a file fails."""
        good: list[T] = []
        bad: list[RowFault] = []
        try:
            for row in self._rows:
                parsed = self._parse(row)
                if isinstance(parsed, list):
                    bad += parsed
                else:
                    good.append(parsed)
                self._read += 1
                if self._read % _BATCH == 0:
                    yield good, bad
                    good, bad = [], []
        except InputError:
            yield good, bad
            raise
        yield good, bad

    def _parse(self, row: Row | RowFault) -> T | list[RowFault]:
        if isinstance(row, RowFault):
            if self._rejects is not None:
                self._rejects.refuse_now(row.line, {}, [row])
            return [row]
        line, fields = row
        parsed = self._importer.parse(line, fields, self._clock(), self._order.zone)
        if self._rejects is not None:
            if isinstance(parsed, list):
                self._rejects.refuse_now(line, fields, parsed)
            else:
                self._rejects.keep(line, fields)
        return parsed


class _FileColumns(ColumnNames):
    """The columns of a file, whose faults say so if it is the other kind of file."""

    def __init__(self, kind: Kind, mapping: Mapping[str, str | None]) -> None:
        super().__init__(kind, mapping)
        self._others = {other: ColumnNames(other, {}) for other in KINDS if other != kind}

    def of_file(self, names: Sequence[str]) -> list[str | None]:
        try:
            return super().of_file(names)
        except InputError as error:
            for kind, columns in self._others.items():
                if columns.fit(names):
                    raise InputError(f"this looks like a file of {kind}: use `perdure {kind} import`") from None
            raise InputError(f"{error}; --map NAME=COLUMN says what another name stands for") from None


def now() -> datetime:
    """Return the current instant."""
    return datetime.now(UTC)


async def import_command(
    importer: Importer[T],
    order: ImportOrder,
    *,
    as_json: bool,
    clock: Clock = now,
    afterwards: Callable[[Database, Settings, ImportReport], Awaitable[None]] | None = None,
) -> int:
    """Import files and print the result. Returns the exit status: 4 if a row was refused, 3 for warnings if strict.

    `afterwards`: done when the rows are stored, unless nothing is to stay; it adds to the report.

    Raises:
        InputError: the first file cannot be read, or its columns are wrong.
        CommandError: a file or the database failed part-way.
    """
    run = Run(importer, order, clock, as_json=as_json)
    run.check_beginning()
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f} rows"), TimeElapsedColumn())
    settings = common.settings()
    async with open_database(settings) as db:
        try:
            with output.progress(*columns) as bar:
                await run.run(db, partial(_show, bar, bar.add_task("read", total=None)), settings)
                if afterwards is not None and not order.options.dry_run:
                    await afterwards(db, settings, run.report)
        except asyncio.CancelledError:
            run.finish()
            raise
        except PerdureError as error:
            run.finish()
            rows = run.report.rows
            done = f"imported before that: {plural(rows, 'row')}" if rows else "nothing was imported"
            status = status_of(error)
            if rows and status is ExitStatus.USAGE:
                status = ExitStatus.PARTLY
            raise common.CommandError(f"{error}; {done}", status) from error
    run.finish()
    return run.report.status


async def import_silently(importer: Importer[T], db: Database, files: ImportFiles, clock: Clock = now) -> ImportReport:
    """Import files without printing anything.

    Raises:
        PerdureError: a file or the database cannot be read.
    """
    run = Run(importer, ImportOrder(files), clock, as_json=True)
    await run.run(db, lambda _what, _done: None, None)
    return run.report


def _show(bar: Bar, task: TaskID, what: str, done: int) -> None:
    bar.update(task, description=what, completed=done)
