"""`perdure instances import`, and the code that it shares with `perdure accounts import`.

A file is read to its end into a temporary table before anything of it is stored, so that two rows that contradict each
other are found wherever they are, on standard input too. Then its rows are stored in batches, each in one transaction:
however an import ends, only whole batches are in Postgres, and nothing of a contradiction. Importing a file again is
safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Generic, TypeAlias, TypeVar

import typer
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from billing.errors import InputError, PerdureError
from billing.text import plural
from billing.usage.parsing import Kind, parse_account, parse_instance, require_columns
from billing.usage.rows import AccountRow, InstanceRow, RowFault
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.imports.destinations import Destination, store_accounts, store_instances
from starter.cli.imports.files import Row, read_rows
from starter.cli.imports.report import ImportReport, Stored
from storage.postgres.database import Database

app = typer.Typer(help="Workspace instances: import.", no_args_is_help=True)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="*.csv, *.jsonl, *.ndjson or *.parquet; `-`: CSV on standard input.")
]
_Reopen = Annotated[bool, typer.Option("--reopen", help="Let a row without a stop remove a known stop.")]

_BATCH = 5000  # rows, including refused ones
T = TypeVar("T")
Clock: TypeAlias = Callable[[], datetime]
Progress: TypeAlias = Callable[[str, int], None]


@dataclass(frozen=True)
class Importer(Generic[T]):
    """How one kind of file is parsed and stored. A row is parsed with the instant at which it arrived."""

    kind: Kind
    parse: Callable[[int, Mapping[str, object], datetime], T | list[RowFault]]
    store: Callable[[Database, bool], AbstractAsyncContextManager[Destination[T]]]
    counts: tuple[str, ...]


@app.command("import")
@common.command
async def import_(file: FileArgument, reopen: _Reopen = False, as_json: common.AsJson = False) -> int:
    """Import instances from CSV, JSON Lines or Parquet.

    Known instances are updated. Good rows are kept, bad ones reported; the status is 1 if there were any. A row
    without a stop does not reopen an instance that is known to have stopped, unless with --reopen.
    """
    return await import_command(INSTANCES, file, as_json=as_json, reopen=reopen)


def _parse_account(line: int, fields: Mapping[str, object], _received: datetime) -> AccountRow | list[RowFault]:
    return parse_account(line, fields)  # a window can be planned: it starts or ends in the future


INSTANCES: Importer[InstanceRow] = Importer(
    "instances", parse_instance, store_instances, ("inserted", "updated", "unchanged", "repeated")
)
ACCOUNTS: Importer[AccountRow] = Importer("accounts", _parse_account, store_accounts, ("stored", "repeated"))


def _now() -> datetime:
    return datetime.now(UTC)


async def import_instances(db: Database, path: Path, clock: Clock = _now) -> ImportReport:
    """Import a file of instances without printing anything.

    Raises:
        PerdureError: the file or the database cannot be read.
    """
    return await _import_silently(INSTANCES, db, path, clock)


async def import_accounts(db: Database, path: Path, clock: Clock = _now) -> ImportReport:
    """Import a file of accounts and windows without printing anything.

    Raises:
        PerdureError: the file or the database cannot be read.
    """
    return await _import_silently(ACCOUNTS, db, path, clock)


async def import_command(
    importer: Importer[T], path: Path, *, as_json: bool, reopen: bool = False, clock: Clock = _now
) -> int:
    """Import a file and print the result. Returns the exit status: 1 if a row was refused.

    Raises:
        InputError: the file cannot be read, or its columns are wrong.
        CommandError: the file or the database failed part-way.
    """
    rows = _read(importer, path)
    first = next(rows, None)  # a wrong file is reported before the database is opened
    rows = chain([] if first is None else [first], rows)
    report = ImportReport(dict.fromkeys(importer.counts, 0), as_json)
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f} rows"), TimeElapsedColumn())
    async with open_database(common.settings()) as db:
        try:
            with output.progress(*columns) as bar:
                task = bar.add_task("read", total=None)
                parsed = _batches(importer, rows, clock)
                async with importer.store(db, reopen) as destination:
                    await _import_rows(destination, parsed, report, partial(_show, bar, task))
        except asyncio.CancelledError:
            report.finish()
            raise
        except PerdureError as error:
            report.finish()
            done = f"imported before that: {plural(report.rows, 'row')}" if report.rows else "nothing was imported"
            raise common.CommandError(f"{error}; {done}") from error
    report.finish()
    return report.status


async def _import_silently(importer: Importer[T], db: Database, path: Path, clock: Clock) -> ImportReport:
    report = ImportReport(dict.fromkeys(importer.counts, 0), as_json=True)
    async with importer.store(db, False) as destination:
        parsed = _batches(importer, _read(importer, path), clock)
        await _import_rows(destination, parsed, report, lambda _what, _done: None)
    return report


async def _import_rows(
    destination: Destination[T],
    batches: Iterator[tuple[list[T], list[RowFault]]],
    report: ImportReport,
    progress: Progress,
) -> None:
    """Import what could be read of a file, even if reading it fails half-way."""
    broken: InputError | None = None
    read = 0
    try:
        for good, bad in batches:
            report.add(Stored({}, await destination.add(good)), bad)
            read += len(good) + len(bad)
            progress("read", read)
    except InputError as error:
        broken = error
    async for stored in destination.store():
        report.add(stored, ())
        progress("stored", report.rows)
    if broken is not None:
        raise broken


def _show(bar: Bar, task: TaskID, what: str, done: int) -> None:
    bar.update(task, description=what, completed=done)


def _read(importer: Importer[T], path: Path) -> Iterator[Row | RowFault]:
    return read_rows(path, lambda names: require_columns(importer.kind, names))


def _batches(
    importer: Importer[T], rows: Iterator[Row | RowFault], clock: Clock
) -> Iterator[tuple[list[T], list[RowFault]]]:
    """Yield batches of parsed rows, with the faults of the others; the last batch even if reading the file fails."""
    good: list[T] = []
    bad: list[RowFault] = []
    count = 0
    try:
        for row in rows:
            parsed = [row] if isinstance(row, RowFault) else importer.parse(*row, clock())
            if isinstance(parsed, list):
                bad += parsed
            else:
                good.append(parsed)
            count += 1
            if count % _BATCH == 0:
                yield good, bad
                good, bad = [], []
    except InputError:
        yield good, bad
        raise
    yield good, bad
