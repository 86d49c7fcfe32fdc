"""`perdure instances import`, and the code that it shares with `perdure accounts import`.

Rows are stored in batches, each in one transaction: however an import ends, only whole batches are in Postgres.
Importing a file again is safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import typer
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from billing.errors import InputError, PerdureError
from billing.text import plural
from billing.usage.parsing import Kind, parse_account, parse_instance, require_columns
from billing.usage.rows import AccountRow, InstanceRow, RowFault
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.imports.files import Row, read_rows
from starter.cli.imports.report import ImportReport, Stored
from storage.accounts import accounts
from storage.periods import periods
from storage.periods.periods import OverbilledUsage
from storage.postgres.database import Database
from storage.usage import instances

app = typer.Typer(help="Workspace instances: import.", no_args_is_help=True)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="*.csv, *.jsonl, *.ndjson or *.parquet; `-`: CSV on standard input.")
]

_BATCH = 5000  # rows, including refused ones
T = TypeVar("T")


@dataclass(frozen=True)
class Importer(Generic[T]):
    """How one kind of file is parsed and stored.

    `subject` names what a row describes: consecutive rows about one subject stay in one batch, which is checked as a
    whole.
    """

    kind: Kind
    parse: Callable[[int, Mapping[str, object]], T | list[RowFault]]
    subject: Callable[[T], str]
    store: Callable[[Database, Sequence[T]], Awaitable[Stored]]
    counts: tuple[str, ...]


@app.command("import")
@common.command
async def import_(file: FileArgument, as_json: common.AsJson = False) -> int:
    """Import instances from CSV, JSON Lines or Parquet.

    Known instances are updated. Good rows are kept, bad ones reported; the status is 1 if there were any.
    """
    return await import_command(INSTANCES, file, as_json=as_json)


async def _store_instances(db: Database, rows: Sequence[InstanceRow]) -> Stored:
    result = await instances.upsert_instances(db, rows)
    counts = {"inserted": result.inserted, "updated": result.updated, "unchanged": result.unchanged}
    return Stored(counts, result.faults, result.overbilled)


async def _store_accounts(db: Database, rows: Sequence[AccountRow]) -> Stored:
    faults = await accounts.upsert_accounts(db, rows)
    # Earlier claims have released their locks on these accounts, and later claims use the new windows.
    outside: dict[str, list[OverbilledUsage]] = {row.attribution_id: [] for row in rows}
    for usage in await periods.overbilled_usage(db, accounts=list(outside)):
        if usage.reason == "outside_windows":
            outside[usage.attribution_id].append(usage)
    return Stored({"stored": len(rows) - len({fault.line for fault in faults})}, faults, outside=outside)


INSTANCES = Importer(
    "instances", parse_instance, lambda row: row.id, _store_instances, ("inserted", "updated", "unchanged")
)
ACCOUNTS = Importer("accounts", parse_account, lambda row: row.attribution_id, _store_accounts, ("stored",))


async def import_instances(db: Database, path: Path) -> ImportReport:
    """Import a file of instances without printing anything.

    Raises:
        PerdureError: the file or the database cannot be read.
    """
    return await _import_silently(INSTANCES, db, path)


async def import_accounts(db: Database, path: Path) -> ImportReport:
    """Import a file of accounts and windows without printing anything.

    Raises:
        PerdureError: the file or the database cannot be read.
    """
    return await _import_silently(ACCOUNTS, db, path)


async def import_command(importer: Importer[T], path: Path, *, as_json: bool) -> int:
    """Import a file and print the result. Returns the exit status: 1 if a row was refused.

    Raises:
        InputError: the file cannot be read, or its columns are wrong.
        CommandError: the file or the database failed part-way.
    """
    rows = _read(importer, path)
    first = next(rows, None)  # a wrong file is reported before the database is opened
    report = ImportReport(dict.fromkeys(importer.counts, 0), as_json)
    async with open_database(common.settings()) as db:
        try:
            await _import_rows(importer, db, chain([] if first is None else [first], rows), report)
        except asyncio.CancelledError:
            report.finish()
            raise
        except PerdureError as error:
            report.finish()
            done = f"imported before that: {plural(report.rows, 'row')}" if report.rows else "nothing was imported"
            raise common.CommandError(f"{error}; {done}") from error
    report.finish()
    return report.status


async def _import_silently(importer: Importer[T], db: Database, path: Path) -> ImportReport:
    report = ImportReport(dict.fromkeys(importer.counts, 0), as_json=True)
    for good, bad in _batches(importer, _read(importer, path)):
        report.add(await importer.store(db, good) if good else Stored({}), bad)
    return report


async def _import_rows(
    importer: Importer[T], db: Database, rows: Iterator[Row | RowFault], report: ImportReport
) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with output.progress(*columns) as bar:
        task = bar.add_task("", total=None)
        for good, bad in _batches(importer, rows):
            report.add(await importer.store(db, good) if good else Stored({}), bad)
            bar.update(task, completed=report.rows + report.refused)


def _read(importer: Importer[T], path: Path) -> Iterator[Row | RowFault]:
    return read_rows(path, lambda names: require_columns(importer.kind, names))


def _batches(importer: Importer[T], rows: Iterator[Row | RowFault]) -> Iterator[tuple[list[T], list[RowFault]]]:
    """Yield batches of parsed rows, with the faults of the others; the last batch even if reading the file fails."""
    good: list[T] = []
    bad: list[RowFault] = []
    broken: InputError | None = None
    while True:
        try:
            row = next(rows, None)
        except InputError as error:
            broken, row = error, None
        if row is None:
            break
        parsed = [row] if isinstance(row, RowFault) else importer.parse(*row)
        if len(good) + len(bad) >= _BATCH and not _same_subject(importer, good, parsed):
            yield good, bad
            good, bad = [], []
        if isinstance(parsed, list):
            bad += parsed
        else:
            good.append(parsed)
    if good or bad:
        yield good, bad
    if broken is not None:
        raise broken


def _same_subject(importer: Importer[T], good: list[T], parsed: T | list[RowFault]) -> bool:
    if isinstance(parsed, list) or not good:
        return False
    return importer.subject(good[-1]) == importer.subject(parsed)
