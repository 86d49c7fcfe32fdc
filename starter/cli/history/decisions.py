"""`perdure decisions`: who decided what, when and why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import typer

from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.decided import decision_document
from storage.decisions.trail import DecisionRecord, list_decisions
from storage.lookup.naming import decision_subject
from storage.postgres.database import Database

app = typer.Typer(help="Decisions of people: list.", no_args_is_help=True)

_PAGE = 500


def _place(each: DecisionRecord) -> str:
    return f"{each.origin}, {each.address}" if each.address else str(each.origin)


_COLUMNS: Sequence[output.Column[DecisionRecord]] = (
    output.Column("Subject", lambda each: each.subject),
    output.Column("Decision", lambda each: str(each.kind)),
    output.Column("By", lambda each: each.decided_by),
    output.instant("At", lambda each: each.decided_at),
    output.Column("Reason", lambda each: each.reason, show="room", prose=True),
    output.Column("From", _place, show="wide"),
)


@app.command("list")
@common.command
async def list_(
    subject: Annotated[
        str | None, typer.Argument(metavar="SUBJECT", help="Only about this invoice, credit note or period.")
    ] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List who decided what, when and why, newest first."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        about = None if subject is None else await decision_subject(db, subject)
        await output.listing(_decisions(db, about), _COLUMNS, view, empty="No decisions.", document=decision_document)


async def _decisions(db: Database, subject: str | None) -> AsyncIterator[DecisionRecord]:
    before: int | None = None
    while page := await list_decisions(db, subject=subject, before=before, limit=_PAGE):
        for decision in page:
            yield decision
        before = page[-1].id
