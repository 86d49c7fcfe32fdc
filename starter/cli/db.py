"""`perdure db`: database migrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from billing.text import plural
from starter.cli import common, output
from storage.postgres.database import Database
from storage.postgres.revision import known_revisions, read_revision
from storage.postgres.upgrade import history, roles_without_grants, upgrade
from storage.rekeying.claims import rekey_claims
from storage.totals.days import fill_days

app = typer.Typer(help="Database migrations: upgrade, current, history.", no_args_is_help=True)


@app.command("upgrade")
@common.command
async def db_upgrade() -> None:
    """Upgrade the database schema to this version.

    Safe to run at any time, and several times concurrently. It also brings along what an earlier version left: the
    table of claims, and the usage by day of settled invoices that lack it. Workers of this version go on meanwhile:
    start them once it says which revision the database is at.
    """
    url = common.settings().need("database_url")
    before = await _revision(url)
    with output.progress_when_slow() as say:
        after = await upgrade(url, say)
    output.say(f"The database is at revision {after}{_change(before, after)}.")
    await _bring_along(url)
    missing = await roles_without_grants(url)
    if missing:
        output.complain(
            f"no privileges were granted to {', '.join(missing)}, which {'do' if len(missing) > 1 else 'does'} not "
            "exist: the processes that use them need them (docs/security.md)"
        )


async def _bring_along(url: str) -> None:
    database = Database(url, pool_size=1)
    try:
        with output.progress_when_slow() as say:
            rekeyed = await rekey_claims(database, say)
            say("writing the usage by day of settled invoices")
            filled = await fill_days(database)
    finally:
        await database.close()
    if rekeyed:
        output.say("Gave the claims the constraint of revision 0010.")
    if filled:
        output.say(f"Wrote the usage by day of {plural(filled, 'settled invoice')}.")


def _change(before: str | None, after: str) -> str:
    if before == after:
        return ": there was nothing to do"
    return f", which was {before}" if before else ", which is new"


@app.command("current")
@common.command
async def db_current(as_json: common.AsJson = False) -> int:
    """Show the database's revision, and whether it fits this version.

    The status is 3 if it does not.
    """
    found, newest = await _revision(common.settings().need("database_url")), known_revisions()[-1]
    if as_json:
        output.print_json({"revision": found, "needed": newest})
    elif found == newest:
        output.say(f"The database is at revision {found}, the newest that this version of Perdure knows.")
    elif found is None or found in known_revisions():
        has = f"is at revision {found}" if found else "has no revision that this role can read"
        output.say(f"The database {has}; {newest} is needed: run `perdure db upgrade`.")
    else:
        output.say(f"The database is at revision {found}, newer than {newest}: use a newer version of Perdure.")
    return common.ExitStatus.DONE if found == newest else common.ExitStatus.PERSON


@dataclass(frozen=True)
class Revision:
    """A migration. `applied`: whether the database has it, None if there is no database."""

    revision: str
    what: str
    applied: bool | None


_COLUMNS: Sequence[output.Column[Revision]] = (
    output.Column("Revision", lambda each: each.revision),
    output.Column("Applied", lambda each: each.applied),
    output.Column("What", lambda each: each.what, prose=True),
)


@app.command("history")
@common.command
async def db_history(form: common.Form = None, as_json: common.AsJson = False) -> None:
    """List the revisions, and which of them the database has.

    Without DATABASE_URL, those that this version knows.
    """
    view = output.view(form, _COLUMNS, as_json=as_json)
    settings = common.settings()
    known = settings.database_url is not None
    found = await _revision(settings.need("database_url")) or "" if known else None
    revisions = [Revision(each, what, None if found is None else each <= found) for each, what in history()]
    await output.listing(revisions, _COLUMNS, view, empty="There are no revisions.")


async def _revision(url: str) -> str | None:
    db = Database(url, 1)
    try:
        async with db.transaction(read_only=True) as connection:
            return await read_revision(connection)
    finally:
        await db.close()
