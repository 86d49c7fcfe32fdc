"""`perdure recover`: after a loss, adopts from Stripe what Postgres lost, and resumes what was waiting."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from temporalio.client import Client

from billing.text import plural
from contracts.messages.events import CURSOR
from contracts.messages.recovery import AdoptionResult
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.steps.watching import result_of
from starter.cli.stripe.catch_up import run_catch_up
from storage.postgres.database import Database
from storage.recovery import losses
from storage.recovery.losses import Unfinished
from temporal import recovery
from temporal.client import connect
from temporal.start import start_adoption, start_period

_CLOCKS_DIFFER = timedelta(hours=1)


@common.command
async def recover(
    restored_to: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Where Postgres was restored to: adopt what Stripe has since."),
    ] = None,
    run_periods: Annotated[
        bool, typer.Option("--run-periods", help="Also run the periods whose runs had not finished.")
    ] = False,
    despite_faults: Annotated[
        bool, typer.Option("--despite-faults", help="Continue even if some invoices cannot be adopted.")
    ] = False,
    as_json: common.AsJson = False,
) -> int:
    """Recover after the loss of Temporal or Postgres.

    With --restored-to, first adopts from Stripe what Postgres lost. Reads Stripe's events again, and starts the
    workflows that were waiting. Safe to run repeatedly and at any time: a workflow that is already running at most
    fetches its subject from Stripe again.
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
                    f"not adopted from Stripe: {plural(len(adopted.faults), 'invoice')}. Nothing was started, since "
                    "usage might be billed twice: follow the lines above, or continue with --despite-faults",
                    common.ExitStatus.PERSON,
                )
        document["events"] = await _read_events(db, client, as_json=as_json)
        document |= await _start_what_waits(db, client, run_periods=run_periods, as_json=as_json)
    if as_json:
        output.print_json(document)
    return 0


async def _adopt(db: Database, client: Client, since: datetime, *, as_json: bool) -> AdoptionResult:
    # Stripe may have created, long before `since`, an invoice that was open then.
    oldest = await losses.oldest_open(db)
    adopting = await start_adoption(client, min(since, oldest or since) - _CLOCKS_DIFFER)
    adopted = await result_of(client, adopting)
    if not as_json:
        for key in adopted.adopted:
            output.say(f"{key}: adopted from Stripe")
        output.say(
            f"Read {plural(adopted.seen, 'Stripe invoice')}: {adopted.ours:,} ours, {adopted.adopted_count:,} adopted."
        )
    for fault in adopted.faults:
        output.complain(fault)
    return adopted


async def _read_events(db: Database, client: Client, *, as_json: bool) -> dict[str, Any]:
    """Read every event that Stripe still has: those delivered to a lost Temporal may not have been handled."""
    await losses.rewind_event_cursor(db, CURSOR)
    result = await run_catch_up(client)
    if not as_json:
        output.say(f"Read {plural(result.events, 'Stripe event')} again, woke {plural(result.signalled, 'workflow')}.")
    return result.model_dump(mode="json")


async def _start_what_waits(db: Database, client: Client, *, run_periods: bool, as_json: bool) -> dict[str, Any]:
    found = await losses.unfinished(db)
    rows = []
    async for lost, started in recovery.restart(client, _workflows(found)):
        rows.append({"workflow_id": lost.workflow_id, "state": lost.state, "started": started})
        if not as_json:
            running = "already running, refreshes" if lost.refreshes else "already running"
            output.say(f"{lost.workflow_id}: {lost.state}, {'started' if started else running}")
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
        output.say("No invoice, credit note or subscription is waiting.")
    for period in periods:
        output.say(
            f"billing-period/{period}: started, or already running"
            if run_periods
            else f"{period}: no run of all accounts has ended since its newest invoice: `perdure period run {period}`"
        )
    for name in missing:
        output.say(f"schedule {name} is missing: create it with `perdure schedule set`")
