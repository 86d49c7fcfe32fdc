"""`perdure sources list`: how far each source is read, since when it fails, and what of it was refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from billing.text import plural
from billing.usage.events import OWN_SOURCES
from starter.cli import common, output
from starter.cli.database import open_database
from storage.arrivals.faults import WaitingFault, waiting_faults
from storage.arrivals.sources import SourceState, list_sources, load_source

_MOST = 100
_MOST_JSON = 10_000
_NONE = "There are no sources yet: write sources.toml, then `perdure schedule set` (docs/connect-your-database.md)."

_COLUMNS: Sequence[output.Column[SourceState]] = (
    output.Column("Source", lambda state: state.name),
    output.state("Status", lambda state: state.status(datetime.now(UTC))),
    output.instant("Complete up to", lambda state: state.complete_up_to),
    output.Column("Rows", lambda state: state.rows_read if state.read_at else None, show="room", right=True),
    output.Column("Refused", lambda state: state.faults, show="room", right=True),
    output.instant("Last read", lambda state: state.read_at),
    output.Column("Kind", lambda state: state.kind, show="wide"),
    output.instant("Failing since", lambda state: state.failing_since, "wide"),
)


@common.command
async def list_(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this one, with what was refused.")] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List the sources: how far each is read, and what is wrong with it.

    With NAME, also the refused rows that wait for a better one. `api:TOKEN` names what a token has sent to the API.
    """
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        if name is not None and name.startswith(OWN_SOURCES):
            _print_sent(name, [each async for each in waiting_faults(db, name, _MOST_JSON)], as_json=view.is_json)
            return
        if name is None:
            states, faults = await list_sources(db), []
        else:
            states = [await load_source(db, name)]
            faults = [fault async for fault in waiting_faults(db, name, _MOST_JSON if view.is_json else _MOST)]
    now = datetime.now(UTC)
    if view.is_json and name is not None:
        output.print_json({**_document(states[0], now), "faults": _faults(faults)})
        return
    shown = await output.listing(states, _COLUMNS, view, empty=_NONE, document=lambda state: _document(state, now))
    for state in shown:
        if state.error is not None:
            output.say(f"{state.name}: failing since {output.when_and_ago(state.failing_since)}: {state.error}")
    if name is not None and view.for_people:
        _print_faults(name, faults, states[0].faults)


def _document(state: SourceState, now: datetime) -> dict[str, Any]:
    behind = None if state.complete_up_to is None else (now - state.complete_up_to).total_seconds()
    return {
        "name": state.name,
        "kind": state.kind,
        "status": state.status(now),
        "every_seconds": state.every.total_seconds(),
        "lag_seconds": state.lag.total_seconds(),
        "stale_after_seconds": None if state.stale_after is None else state.stale_after.total_seconds(),
        "snapshot_at": output.json_instant(state.snapshot_at),
        "cursor": output.json_instant(state.cursor),
        "complete_up_to": output.json_instant(state.complete_up_to),
        "behind_seconds": behind,
        "read_at": output.json_instant(state.read_at),
        "rows": state.rows_read,
        "new": state.rows_new,
        "stale": state.rows_stale,
        "refused": state.rows_refused,
        "waiting": state.faults,
        "error": state.error,
        "failing_since": output.json_instant(state.failing_since),
        "removed_at": output.json_instant(state.removed_at),
    }


def _faults(faults: list[WaitingFault]) -> list[dict[str, Any]]:
    return [
        {
            "subject": fault.subject,
            "column": fault.field,
            "reason": fault.reason,
            "first_seen_at": output.json_instant(fault.first_seen_at),
            "last_seen_at": output.json_instant(fault.last_seen_at),
        }
        for fault in faults
    ]


def _print_sent(name: str, faults: list[WaitingFault], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"name": name, "faults": _faults(faults)})
        return
    for fault in faults:
        output.say(_in_words(fault))
    if not faults:
        output.say(f"Nothing that {name} has sent is refused.")


def _in_words(fault: WaitingFault) -> str:
    return f"{fault.subject}: {fault.field}: {fault.reason} (since {output.when(fault.first_seen_at, 'minutes')})"


def _print_faults(name: str, faults: list[WaitingFault], count: int) -> None:
    for fault in faults:
        output.say(_in_words(fault))
    if count > len(faults):
        output.say(f"{plural(count - len(faults), 'more fault')}: --json lists them.")
    if count:
        output.say(f"Correct them in {name}; a row that is taken removes its instance's fault.")
