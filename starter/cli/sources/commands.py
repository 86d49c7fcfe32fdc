"""`perdure sources`: try the sources of sources.toml, list how far they are read, read one now."""

from __future__ import annotations

import typer

from starter.cli.sources.check import check
from starter.cli.sources.listing import list_
from starter.cli.sources.sync import sync

app = typer.Typer(help="Sources of usage: check, list, sync.", no_args_is_help=True)

app.command("check")(check)
app.command("list")(list_)
app.command("sync")(sync)
