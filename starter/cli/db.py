"""`perdure db`: the database's migrations."""

from __future__ import annotations

import typer

from starter.cli import common, output
from storage.postgres.upgrade import upgrade

app = typer.Typer(help="The database's migrations.", no_args_is_help=True)


@app.command("upgrade")
@common.command
async def db_upgrade() -> None:
    """Bring the database's tables up to date; safe to run at any time, and twice at once."""
    revision = await upgrade(common.settings().need("database_url"))
    output.say(f"The database is at revision {revision}.")
