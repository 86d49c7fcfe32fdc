"""`perdure instances import`, and what it shares with `perdure accounts import`.

All files of a command are read to their ends into a temporary table before anything of them is stored, so that two rows
that contradict each other are found wherever they are, on standard input too. Then the rows are stored in batches, each
in one transaction: however an import ends, only whole batches are in Postgres, and nothing of a contradiction.
Importing a file again is safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from billing.errors import InputError
from billing.usage.parsing import parse_account, parse_instance, past
from billing.usage.rows import AccountRow, ImportOptions, InstanceRow, RowFault
from billing.usage.times import parse_time
from sources.files.finding import find_files
from starter.cli import common
from starter.cli.imports.destinations import store_accounts, store_instances
from starter.cli.imports.importing import Clock, Importer, import_command, import_silently, now
from starter.cli.imports.options import AssumeZone, DryRun, Files, FormatOption, Map, RejectsOption, order_of
from starter.cli.imports.report import ImportReport
from storage.postgres.database import Database

app = typer.Typer(help="Workspace instances: import.", no_args_is_help=True)

_Reopen = Annotated[bool, typer.Option("--reopen", help="Let a row without a stop remove a known stop.")]


_Correct = Annotated[bool, typer.Option("--correct", help="Replace all facts about the named instances by these rows.")]
_AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="INSTANT", help="The time of rows without an updated_at.")
]


@app.command("import")
@common.command
async def import_(
    files: Files,
    given: FormatOption = None,
    mapping: Map = None,
    zone: AssumeZone = None,
    rejects: RejectsOption = None,
    reopen: _Reopen = False,
    correct: _Correct = False,
    as_of: _AsOf = None,
    dry_run: DryRun = False,
    strict: common.Strict = False,
    as_json: common.AsJson = False,
) -> int:
    """Import instances from CSV, JSON Lines or Parquet.

    Known instances are updated. Good rows are kept, bad ones reported; the status is 4 if there were any. A row with
    an updated_at is a fact of that instant: a change of class, quantity or payer counts from then on. Other rows can
    add a stop and begin another run, but do not remove a stop, unless with --reopen. All files are compared with each
    other; text can be compressed by gzip.
    """
    options = ImportOptions(reopen=reopen, correct=correct, as_of=_instant(as_of), dry_run=dry_run)
    order = order_of(INSTANCES.kind, files, given, mapping, zone, rejects, options, strict=strict)
    return await import_command(INSTANCES, order, as_json=as_json)


def _instant(text: str | None) -> datetime | None:
    try:
        return None if text is None else past(parse_time(text), now())
    except InputError as error:
        raise InputError(f"--as-of {error}") from None


def _parse_account(
    line: int, fields: Mapping[str, object], _received: datetime, zone: tzinfo | None
) -> AccountRow | list[RowFault]:
    return parse_account(line, fields, zone)  # a window can be planned: it starts or ends in the future


INSTANCES: Importer[InstanceRow] = Importer(
    "instances", parse_instance, store_instances, ("inserted", "updated", "unchanged", "stale", "repeated")
)
ACCOUNTS: Importer[AccountRow] = Importer("accounts", _parse_account, store_accounts, ("stored", "repeated"))


async def import_instances(db: Database, path: Path, clock: Clock = now) -> ImportReport:
    """Import a file of instances without printing anything.

    Raises:
        PerdureError: the file or the database cannot be read.
    """
    return await import_silently(INSTANCES, db, find_files([str(path)]), clock)


async def import_accounts(db: Database, path: Path, clock: Clock = now) -> ImportReport:
    """Import a file of accounts and windows without printing anything.

    Raises:
        PerdureError: the file or the database cannot be read.
    """
    return await import_silently(ACCOUNTS, db, find_files([str(path)]), clock)
