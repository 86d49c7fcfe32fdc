"""`perdure sources check`: read the first rows of sources as an import would take them, and store nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from activities.sources.catalog import AnySource, SourceCatalog, is_ordered, kind_of
from billing.errors import InputError
from billing.text import plural
from billing.usage.rows import InstanceRow
from sources.config import FilesSource, SqlSource
from sources.errors import SourceError
from sources.objects import FilesReader
from sources.reading import SourcePage, now
from sources.sql.query import names_since
from sources.sql.reader import open_sql
from starter.cli import common, output

_ROWS = 10
_FAR_APART = timedelta(minutes=5)


@dataclass
class Checked:
    """What the check of one source found. `notes`: what is not wrong, but probably not meant."""

    name: str
    kind: str
    page: SourcePage = field(default_factory=SourcePage)
    error: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def refused(self) -> list[str]:
        """The refused rows, in words."""
        return [
            f"{row.instance_id or f'row {fault.line}'}: {fault.column}: {fault.reason}"
            for row in self.page.refused
            for fault in row.faults
        ]


@common.command
async def check(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The source, as sources.toml names it.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All sources of sources.toml.")] = False,
    as_json: common.AsJson = False,
) -> int:
    """Try a source: show ten rows as they would be imported.

    Run it where the worker of the queue `sources` runs: it needs the same secrets. Nothing is stored. The status is 1
    if the source cannot be read, and 4 if one of the rows is refused.
    """
    if (name is None) != all_:
        raise InputError("name one source, or use --all")
    settings = common.settings()
    catalog = SourceCatalog(settings.sources)
    if not catalog.exists:
        raise InputError(
            f"{catalog.path} does not exist: write it (docs/connect-your-database.md), or set SOURCES to its path"
        )
    found = catalog.sources() if name is None else [catalog.find(name)]
    checked = [await asyncio.to_thread(_check, source) for source in found]
    if as_json:
        output.print_json([_document(each) for each in checked])
    else:
        for each in checked:
            _print(each)
    if any(each.error for each in checked):
        return common.ExitStatus.FAILED
    return common.ExitStatus.PARTLY if any(each.refused for each in checked) else common.ExitStatus.DONE


def _check(source: AnySource) -> Checked:
    checked = Checked(source.name, kind_of(source))
    try:
        if isinstance(source, SqlSource):
            _check_query(source, checked)
        else:
            _check_files(source, checked)
    except (SourceError, InputError) as error:
        checked.error = str(error)
    return checked


def _check_query(source: SqlSource, checked: Checked) -> None:
    with open_sql(source) as reader:
        apart = reader.clock() - now()
        pages = reader.pages(None, _ROWS)
        checked.page = next(pages, SourcePage())
    if abs(apart) > _FAR_APART:
        checked.notes.append(f"its clock is {abs(apart)} {'ahead of' if apart > timedelta() else 'behind'} ours")
    _note_times(source, checked)


def _note_times(source: SqlSource, checked: Checked) -> None:
    rows = checked.page.rows
    if rows and all("updated_at" in row.missing or row.updated_at is None for row in rows):
        checked.notes.append(
            "its rows have no updated_at: every read compares all rows, and changes are refused by name"
        )
    elif not names_since(source.query):
        checked.notes.append("the query does not name :since: every read has all rows")
    elif rows and not is_ordered(source):
        checked.notes.append("the query does not end with ORDER BY updated_at, id: a read that ends early begins again")


def _check_files(source: FilesSource, checked: Checked) -> None:
    reader = FilesReader(source)
    found = reader.objects()
    checked.notes += found.warnings
    if not found.files:
        checked.notes.append("there are no files yet")
        return
    newest = found.files[-1]
    checked.notes.append(f"{plural(len(found.files), 'file')}; these are the first rows of {newest.name}")
    checked.page = next(reader.pages(newest, _ROWS), SourcePage())


def _print(checked: Checked) -> None:
    if checked.error is not None:
        output.complain(f"perdure: {checked.error}")
        return
    output.say(f"{checked.name}: {plural(checked.page.count, 'row')} of the first {_ROWS}, as they would be imported")
    table = output.make_table("", "Instance", "Account", "Class", "Started (UTC)", "Stopped (UTC)")
    for row in checked.page.rows:
        output.add_row(
            table,
            row.id,
            row.attribution_id,
            row.workspace_class,
            output.when(row.started_time, "minutes", zone=False),
            output.when(_stop(row), "minutes", zone=False),
        )
    if table.row_count:
        output.print_table(table)
    for line in checked.refused:
        output.complain(f"refused: {line}")
    for note in checked.notes:
        output.say(f"Note: {note}.")


def _stop(row: InstanceRow) -> datetime | None:
    return min((at for at in (row.stopping_time, row.stopped_time) if at is not None), default=None)


def _document(checked: Checked) -> dict[str, Any]:
    return {
        "source": checked.name,
        "kind": checked.kind,
        "error": checked.error,
        "rows": [_row(row) for row in checked.page.rows],
        "refused": checked.refused,
        "notes": checked.notes,
    }


def _row(row: InstanceRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "attribution_id": row.attribution_id,
        "workspace_class": row.workspace_class,
        "quantity": None if row.quantity is None else str(row.quantity),
        "started_time": output.json_instant(row.started_time),
        "stopping_time": output.json_instant(row.stopping_time),
        "stopped_time": output.json_instant(row.stopped_time),
        "updated_at": output.json_instant(row.updated_at),
    }
