"""`perdure recover`: after a loss, what waited goes on, and what Postgres lost is taken over from Stripe."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from temporalio.client import Client

from contracts.messages.events import CURSOR
from contracts.messages.recovery import AdoptionResult
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.stripe.catch_up import run_catch_up
from storage.postgres.database import Database
from storage.recovery import losses
from storage.recovery.losses import Unfinished
from temporal import recovery
from temporal.client import connect
from temporal.start import start_period

_CLOCKS_DIFFER = timedelta(hours=1)


@common.command
async def recover(
    restored_to: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Postgres was restored to this point: take over what Stripe has since."),
    ] = None,
    run_periods: Annotated[
        bool, typer.Option("--run-periods", help="Also run the periods whose runs were not over.")
    ] = False,
    despite_faults: Annotated[
        bool, typer.Option("--despite-faults", help="Go on although some invoices cannot be taken over.")
    ] = False,
    as_json: common.AsJson = False,
) -> int:
    """After Temporal or Postgres was lost: take over what Stripe has, read its events again, start what waits.

    Again, and at any other time, it does no harm: what runs is only told to look.
    """
    since = common.parse_instant(restored_to, "--restored-to")
    document: dict[str, Any] = {}
    async with open_database(common.settings()) as db:
        client = await connect()
        if since is not None:
            adopted = await _adopt(db, client, since, as_json=as_json)
            document["adopted"] = adopted.model_dump()
            if adopted.faults and not despite_faults:
                raise common.CommandError(
                    f"{len(adopted.faults)} invoices of Stripe's cannot be taken over; nothing was started, since "
                    "their usage might be billed again: do what the lines above say, or go on with --despite-faults"
                )
        document["events"] = await _read_events(db, client, as_json=as_json)
        document |= await _start_what_waits(db, client, run_periods=run_periods, as_json=as_json)
    if as_json:
        output.print_json(document)
    return 0


async def _adopt(db: Database, client: Client, since: datetime, *, as_json: bool) -> AdoptionResult:
    # What was open then may have been made, in Stripe, long before.
    oldest = await losses.oldest_open(db)
    adopted = await recovery.adopt_invoices(client, min(since, oldest or since) - _CLOCKS_DIFFER)
    if not as_json:
        for key in adopted.adopted:
            output.say(f"{key}: taken over from Stripe")
        output.say(
            f"{adopted.seen} invoices of Stripe's looked at, {adopted.ours} of them ours, "
            f"{adopted.adopted_count} taken over"
        )
    for fault in adopted.faults:
        output.complain(fault)
    return adopted


async def _read_events(db: Database, client: Client, *, as_json: bool) -> dict[str, Any]:
    """All that Stripe still has: what was delivered to a Temporal that is gone may not have been done."""
    await losses.rewind_event_cursor(db, CURSOR)
    result = await run_catch_up(client)
    if not as_json:
        output.say(f"{result.events} events of Stripe read again, {result.signalled} workflows woken")
    return result.model_dump(mode="json")


async def _start_what_waits(db: Database, client: Client, *, run_periods: bool, as_json: bool) -> dict[str, Any]:
    found = await losses.unfinished(db)
    rows = []
    async for lost, started in recovery.restart(client, _workflows(found)):
        rows.append({"workflow_id": lost.workflow_id, "state": lost.state, "started": started})
        if not as_json:
            output.say(f"{lost.workflow_id}: {lost.state}, {'started' if started else 'was running, and looks'}")
    missing = await recovery.missing_schedules(client)
    if run_periods:
        for period in found.periods:
            await start_period(client, period)
    if not as_json:
        _say_rest(found.periods, missing, run_periods=run_periods, nothing=not rows)
    return {"workflows": rows, "periods": found.periods, "missing_schedules": missing}


def _workflows(found: Unfinished) -> list[Any]:
    return [
        *(recovery.invoice(i.key, i.state, i.attribution_id, i.billing_period) for i in found.invoices),
        *(recovery.credit_note(n.key, n.state, n.attribution_id, n.billing_period) for n in found.credit_notes),
        *(recovery.subscription(s) for s in found.subscriptions),
    ]


def _say_rest(periods: list[str], missing: list[str], *, run_periods: bool, nothing: bool) -> None:
    if nothing:
        output.say("No invoice, credit note or subscription waits.")
    for period in periods:
        output.say(
            f"billing-period/{period}: runs"
            if run_periods
            else f"{period} is not settled: `perdure period run {period}`"
        )
    for name in missing:
        output.say(f"the schedule {name} is missing: `perdure schedule set`")
