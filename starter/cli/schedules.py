"""`perdure schedule`: the Temporal Schedules of the monthly run, the catch-up with Stripe's events, and the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from temporalio.client import Client

from billing.errors import InputError
from billing.periods import BillingPeriod
from billing.report.canonical import format_instant
from contracts import workflow_ids
from starter.acting.mode import mode_of
from starter.acting.plans import Plan, totals
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, By, DryRun, Why, Yes, agreed, decider
from starter.cli.acting.recording import record_decisions
from starter.cli.database import open_database
from starter.cli.sources.running import keep_sources
from storage.accounts import policies
from storage.decisions.trail import DecisionKind
from temporal import schedules
from temporal.client import connect
from temporal.schedules import ScheduleState

app = typer.Typer(help="Schedules: set, list, pause, resume, trigger.", no_args_is_help=True)

MONTHLY = workflow_ids.MONTHLY_SCHEDULE
Name = Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(workflow_ids.SCHEDULES)}.")]

_NONE = "There are no schedules yet: create them with `perdure schedule set`."
_COLUMNS: Sequence[output.Column[ScheduleState]] = (
    output.Column("Schedule", lambda state: state.id),
    output.state("State", lambda state: "paused" if state.paused else "active"),
    output.instant("Next", lambda state: None if state.paused else next(iter(state.next_runs), None), "always"),
    output.instant("Last", lambda state: max((at for at, _ in state.recent_runs), default=None)),
    output.Column("Note", lambda state: state.note, show="room", prose=True),
    output.Column("Running", lambda state: ", ".join(state.running), show="wide"),
)

_LONGEST_DELAY_HOURS = 600  # the day of the month on which the schedule fires must exist in every month
_PATIENCE_SECONDS = 5.0


@app.command("set")
@common.command
async def set_(
    delay_hours: Annotated[
        int, typer.Option(help="How long after its end a period is billed, so that late stops arrive.")
    ] = 6,
    as_json: common.AsJson = False,
) -> None:
    """Create or update the schedules.

    They are the monthly run, the catch-up with Stripe's events, and the daily audit. Each source of sources.toml is
    read from now on, and no other.
    """
    if not 0 <= delay_hours <= _LONGEST_DELAY_HOURS:
        raise InputError(f"--delay-hours {delay_hours}: write 0 to {_LONGEST_DELAY_HOURS}")
    settings = common.settings()
    temporal = await connect()
    monthly = await schedules.set_schedule(temporal, settings.billing_time_zone, timedelta(hours=delay_hours))
    every = timedelta(minutes=settings.events_catch_up_minutes)
    catch_up = await schedules.set_catch_up_schedule(temporal, every)
    audit = await schedules.set_audit_schedule(temporal)
    sources = await keep_sources(settings, temporal)
    if as_json:
        others = {"catch_up": _document(catch_up), "audit": _document(audit)}
        output.print_json(_document(monthly) | others | {"sources": sources.read, "ended_sources": sources.ended})
        return
    for state in (monthly, catch_up, audit):
        _print(state)
    for name in sources.read:
        output.say(f"Source {name}: read from now on.")
    for name in sources.ended:
        output.say(f"Source {name}: no longer read; what it reported stays.")


@app.command("list")
@common.command
async def list_(
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List the schedules, with their last and next runs."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    found = schedules.list_schedules(await connect())
    await output.listing(found, _COLUMNS, view, empty=_NONE, document=_document)


@app.command("pause")
@common.command
async def pause(
    name: Name = MONTHLY,
    note: Annotated[str, typer.Option(help="Why, for others to read.")] = "",
    by: By = None,
    as_json: common.AsJson = False,
) -> None:
    """Pause a schedule.

    `resume` makes up for the months that pass meanwhile.
    """
    _check(name)
    temporal = await connect()
    await record_decisions(temporal, DecisionKind.PAUSE, name, by=decider(by), reason=note)
    await schedules.pause_schedule(temporal, note, name)
    _show(await _until(temporal, name, lambda state: state.paused), as_json=as_json)


@app.command("resume")
@common.command
async def resume(name: Name = MONTHLY, reason: Why = "", by: By = None, as_json: common.AsJson = False) -> None:
    """Resume a schedule.

    The monthly one runs the months that it has missed.
    """
    _check(name)
    temporal = await connect()
    await record_decisions(temporal, DecisionKind.RESUME, name, by=decider(by), reason=reason)
    await schedules.resume_schedule(temporal, name)
    _show(await _until(temporal, name, lambda state: not state.paused), as_json=as_json)


@app.command("trigger")
@common.command
async def trigger(
    name: Name = MONTHLY,
    reason: Why = "",
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: common.AsJson = False,
) -> None:
    """Run a schedule's action now.

    The monthly one bills the period that ended last.
    """
    _check(name)
    temporal = await connect()
    if (name == MONTHLY or dry_run) and not await _agreed(name, ActOptions(yes, dry_run, as_json)):
        return
    before = await schedules.schedule_state(temporal, name)
    period = BillingPeriod.last_ended(datetime.now(UTC), common.settings().zone)
    subject = str(period) if name == MONTHLY else name
    await record_decisions(temporal, DecisionKind.TRIGGER, subject, by=decider(by), reason=reason)
    await schedules.trigger_schedule(temporal, name)
    _show(await _until(temporal, name, lambda state: state.recent_runs != before.recent_runs), as_json=as_json)
    if not as_json and name == MONTHLY:
        output.say(f"Triggered. Follow it with `perdure period status {period}`.")


async def _agreed(name: str, asked: ActOptions) -> bool:
    """Return whether to trigger the schedule. The monthly one charges customers, so a person is asked."""
    settings = common.settings()
    if name != MONTHLY:
        plan = Plan(f"Trigger {name}", [], "It charges nobody.", document={"schedule": name})
        return agreed(plan, await mode_of(settings, None), asked)
    period = BillingPeriod.last_ended(datetime.now(UTC), settings.zone)
    facts = [("Period", f"{period}, which ended {output.when_and_ago(period.end(settings.zone))}")]
    if settings.database_url is None:
        mode = await mode_of(settings, None)
    else:
        async with open_database(settings) as db:
            mode = await mode_of(settings, db)
            billed = await policies.period_totals(db, str(period), str(period))
        facts.append(("So far", totals((each.currency, each.amount) for each in billed)))
    effects = (
        f"Bills all accounts: invoices are finalized and charged. `perdure period run {period} --dry-run` lists them."
    )
    plan = Plan(f"Trigger {name}", facts, effects, document={"schedule": name, "billing_period": str(period)})
    return agreed(plan, mode, asked)


def _check(name: str) -> None:
    if name not in workflow_ids.SCHEDULES:
        raise InputError(f"there is no schedule {name!r}: use one of {', '.join(workflow_ids.SCHEDULES)}")


async def _until(client: Client, name: str, reached: Callable[[ScheduleState], bool]) -> ScheduleState:
    """Wait until the schedule shows a change: Temporal applies it a moment after it has accepted it."""
    give_up = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        state = await schedules.schedule_state(client, name)
        if reached(state) or asyncio.get_running_loop().time() > give_up:
            return state
        await asyncio.sleep(0.1)


def _show(state: ScheduleState, *, as_json: bool) -> None:
    if as_json:
        output.print_json(_document(state))
    else:
        _print(state)


def _document(state: ScheduleState) -> dict[str, Any]:
    return {
        "id": state.id,
        "paused": state.paused,
        "note": state.note,
        "next_runs": [format_instant(at) for at in state.next_runs],
        "recent_runs": [
            {"scheduled_at": format_instant(at), "workflow_id": workflow_id} for at, workflow_id in state.recent_runs
        ],
        "running": state.running,
    }


def _print(state: ScheduleState) -> None:
    note = f" ({state.note})" if state.note else ""
    output.say(f"Schedule {state.id}: {'paused' if state.paused else 'active'}{note}")
    table = output.make_table("", "When", "At", "Workflow")
    for at, workflow_id in state.recent_runs:
        output.add_row(table, "ran", output.when(at, "minutes"), workflow_id)
    for workflow_id in state.running:
        output.add_row(table, "runs", None, workflow_id)
    for at in [] if state.paused else state.next_runs[:3]:
        output.add_row(table, "next", output.when(at, "minutes"), None)
    if table.row_count:
        output.print_table(table)
