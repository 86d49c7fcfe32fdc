"""`perdure db`: database migrations."""

from __future__ import annotations

import typer

from starter.cli import common, output
from storage.postgres.upgrade import roles_without_grants, upgrade

app = typer.Typer(help="Database migrations: upgrade.", no_args_is_help=True)


@app.command("upgrade")
@common.command
async def db_upgrade() -> None:
    """Upgrade the database schema to this version.

    Safe to run at any time, and several times concurrently.
    """
    url = common.settings().need("database_url")
    output.say(f"The database is at revision {await upgrade(url)}.")
    missing = await roles_without_grants(url)
    if missing:
        output.complain(
            f"no privileges were granted to {', '.join(missing)}, which {'do' if len(missing) > 1 else 'does'} not "
            "exist: the processes that use them need them (docs/security.md)"
        )
