"""`perdure db`: database migrations."""

from __future__ import annotations

import typer

from starter.cli import common, output
from storage.postgres.upgrade import upgrade

app = typer.Typer(help="Database migrations: upgrade.", no_args_is_help=True)


@app.command("upgrade")
@common.command
async def db_upgrade() -> None:
    """Upgrade the database schema to this version.

    Safe to run at any time, and several times concurrently.
    """
    revision = await upgrade(common.settings().need("database_url"))
    output.say(f"The database is at revision {revision}.")
