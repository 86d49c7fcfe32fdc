"""`perdure sources sync`: read a source now."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Annotated, Any
from uuid import uuid4

import typer
from temporalio.client import Client

from billing.errors import InputError
from billing.report.canonical import format_instant
from billing.text import plural
from contracts.messages.sources import SourceInput, SourceRead, SyncSource
from starter.cli import common, output
from starter.cli.database import open_database
from storage.arrivals.sources import load_source
from storage.postgres.database import Database
from temporal.client import connect
from temporal.sources import request_sync

_PATIENCE = timedelta(seconds=30)


@common.command
async def sync(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The source, as sources.toml names it.")],
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Read at least everything that changed from then on.")
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Wait for the result; the status is 4 if rows are refused, 1 if it cannot be read."
        ),
    ] = False,
    as_json: common.AsJson = False,
) -> int:
    """Read a source now.

    Otherwise it is read when its time comes. With --wait, prints what was read.
    """
    earliest = common.parse_instant(since, "--since")
    ask = SyncSource(name=name, since=earliest, by=getpass.getuser())
    async with open_database(common.settings()) as db:
        return await sync_source(db, await connect(), ask, wait=wait, as_json=as_json)


async def sync_source(
    db: Database, temporal: Client, ask: SyncSource, *, wait: bool = True, as_json: bool = False
) -> int:
    """Have a source read, and print the result if it is waited for. Returns the exit status.

    Raises:
        UnknownSourceError: there is no such source.
        InputError: the source was removed.
    """
    name = ask.name
    source = await load_source(db, name)
    if source.removed_at is not None:
        raise InputError(f"source {name} was removed: write it into sources.toml again, then `perdure schedule set`")
    handle = await request_sync(
        temporal, SourceInput(name=name, every=source.every), ask, f"command/{uuid4()}", _PATIENCE
    )
    if not wait:
        if as_json:
            output.print_json({"source": name, "requested": True})
        else:
            output.say(f"Requested. `perdure sources list {name}` shows the result.")
        return 0
    with output.progress() as bar:
        bar.add_task(f"reading {name}", total=None)
        read = await handle.result()
    if as_json:
        output.print_json(document(read))
    else:
        _print(read)
    if read.error:
        return common.ExitStatus.FAILED
    return common.ExitStatus.PARTLY if read.refused else common.ExitStatus.DONE


def document(read: SourceRead) -> dict[str, Any]:
    """Return a read as JSON."""
    return {
        "source": read.name,
        "started_at": format_instant(read.started_at),
        "rows": read.rows,
        "new": read.new,
        "stale": read.stale,
        "refused": read.refused,
        "misbilled": read.misbilled,
        "complete_up_to": output.json_instant(read.complete_up_to),
        "error": read.error,
        "failing_since": output.json_instant(read.failing_since),
        "faults": read.faults,
        "notes": read.notes,
    }


def _print(read: SourceRead) -> None:
    if read.error is not None:
        output.complain(f"perdure: {read.error}")
        output.say(f"Not read; complete up to {output.when(read.complete_up_to)}.")
        return
    for fault in read.faults:
        output.complain(fault)
    output.say(f"{plural(read.rows, 'row')} read: {read.new} new, {read.stale} stale, {read.refused} refused.")
    output.say(f"Complete up to {output.when(read.complete_up_to)}.")
    if read.misbilled:
        output.complain(
            f"perdure: {plural(read.misbilled, 'instance')} billed otherwise than they ran: `perdure audit`"
        )
    for note in read.notes:
        output.complain(f"perdure: warning: {note}")
