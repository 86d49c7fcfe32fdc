"""`perdure status`: what waits for a person, over all periods, and how workers, events, audit and schedules are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn

import typer
from rich.console import Group
from rich.live import Live

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.periods import BillingPeriod
from settings import Settings
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.exits import ExitStatus
from starter.cli.output.console import out
from starter.cli.status.document import document
from starter.cli.status.overview import Overview, overview
from starter.cli.status.screen import screen
from starter.cli.status.stored import Scope
from storage.lookup.naming import payer_id
from storage.postgres.database import DatabaseUnavailableError

_EVERY_SECONDS = 2.0
_MOST, _MOST_SHOWN = 1000, 50


@common.command
async def status(
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="Only what belongs to this month.")] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Only what belongs to this account.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Each thing, where many of a kind are one line.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it again every two seconds, until Ctrl-C.")] = False,
    as_json: common.AsJson = False,
) -> int:
    """Show everything that waits for a person, and how things are.

    The oldest comes first, with its reason and the command that resolves it. The exit status is 3 if something waits,
    and 69 if PostgreSQL or Temporal cannot be reached: then the rest is shown.
    """
    settings = common.settings()
    scope = Scope(
        str(BillingPeriod.parse(period)) if period is not None else None,
        await _payer(settings, account) if account is not None else None,
    )
    if watch:
        if as_json or not output.is_terminal():
            raise InputError("--watch draws on a terminal: leave it out, or leave out --json and the pipe")
        await _watch(lambda: overview(settings, scope, _MOST_SHOWN), everything=everything)
    found = await overview(settings, scope, _MOST if as_json or everything else _MOST_SHOWN)
    if as_json:
        output.print_json(document(found))
    else:
        _print(found, everything=everything)
    return _exit_status(found)


async def _payer(settings: Settings, account: str) -> str:
    """Return the id of the account that is named; while Postgres is away, only an id names one."""
    try:
        async with open_database(settings) as db:
            return await payer_id(db, account)
    except DatabaseUnavailableError:
        return parse_attribution_id(account)


def _exit_status(found: Overview) -> int:
    if found.away:
        return ExitStatus.UNAVAILABLE
    return ExitStatus.PERSON if any(each.person for each in found.waiting) else ExitStatus.DONE


def _print(found: Overview, *, everything: bool) -> None:
    size = (out.width, out.height) if output.is_terminal() else (None, None)
    for line in screen(found, *size, everything=everything):
        out.print(line)


async def _watch(ask: Callable[[], Awaitable[Overview]], *, everything: bool) -> NoReturn:
    """Draw the screen again and again."""
    with Live(console=out, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            found = await ask()
            lines = screen(found, out.width, out.height, everything=everything)
            live.update(Group(*lines), refresh=True)
            await asyncio.sleep(_EVERY_SECONDS)
