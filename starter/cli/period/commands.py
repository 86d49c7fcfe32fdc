"""`perdure period`: run, preview, show or approve a billing period."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from temporalio.client import Client, WorkflowHandle

from billing.errors import InputError
from billing.periods import BillingPeriod
from contracts.messages.periods import PeriodResult
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, By, DryRun, Why, Yes, decider
from starter.cli.acting.recording import record_decisions
from starter.cli.database import open_database
from starter.cli.period.approval import approve_totals, bill_without
from starter.cli.period.excluded_list import excluded
from starter.cli.period.fetching import documents as fetch_documents
from starter.cli.period.fetching import fetch_of_period, summary
from starter.cli.period.listing import list_
from starter.cli.period.preview import preview
from starter.cli.period.run import wait_for_period
from starter.cli.period.status import period_status, print_status
from starter.cli.period.worker_difference import report_differences
from starter.cli.steps.asking import failing_or_nothing
from starter.cli.steps.words import documents as step_documents
from starter.cli.steps.words import sentence
from starter.cli.warnings import gather
from starter.cli.warnings.printing import documents, print_block
from storage.decisions.trail import DecisionKind
from storage.lookup.naming import account_id
from storage.periods.periods import read_summary
from temporal.client import connect
from temporal.start import start_period

app = typer.Typer(help="Billing periods: list, run, status, excluded, approve.", no_args_is_help=True)
app.command("list")(list_)
app.command("excluded")(excluded)

PeriodArgument = Annotated[str, typer.Argument(metavar="PERIOD", help="A calendar month, YYYY-MM.")]


@app.command("run")
@common.command
async def run(
    period: PeriodArgument,
    account: Annotated[str | None, typer.Option(help="Bill only this attribution id.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the invoices that a run would make; change nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress until every invoice is settled.")] = False,
    strict: common.Strict = False,
    by: By = None,
    as_json: common.AsJson = False,
) -> int:
    """Bill a period that has ended, or resume its run.

    A run claims the period's usage, makes its invoices and waits for Stripe. With --wait, the status is 3 if
    invoices still wait for an operator.
    """
    if strict and not dry_run:
        raise InputError("--strict goes with --dry-run: the run itself starts whatever the warnings are")
    settings = common.settings()
    month = BillingPeriod.parse(period)
    end = month.end(settings.zone)
    if not dry_run and datetime.now(UTC) < end:
        raise InputError(f"{month} does not end until {end.isoformat()}: preview it with --dry-run, or run it then")
    async with open_database(settings) as db:
        account = None if account is None else await account_id(db, account)
        if dry_run:
            return await preview(db, settings, month, account, strict=strict, as_json=as_json)
        await report_differences(db, settings)
        client, handle = await _start(str(month), account, decider(by))
        result = 0
        if wait:
            result = await wait_for_period(client, handle, db, str(month), account, as_json=as_json)
        elif as_json:
            output.print_json({"billing_period": str(month), "workflow_id": handle.id})
        else:
            output.say(f"Started {handle.id}. Follow it with `perdure period status {month}`.")
        # What has arrived since a period was billed is another run's; before that, nothing is late.
        if not as_json and (wait or await read_summary(db, str(month)) is not None):
            print_block(await gather.of_late_usage(db, settings, month, attribution_id=account))
    return result


async def _start(month: str, account: str | None, who: str) -> tuple[Client, WorkflowHandle[Any, PeriodResult]]:
    """Start the run, after who starts it was recorded. Returns Temporal's client, and the run."""
    client = await connect()
    await record_decisions(client, DecisionKind.RUN_PERIOD, f"{month}/{account}" if account else month, by=who)
    return client, await start_period(client, month, account)


@app.command("status")
@common.command
async def status(
    period: PeriodArgument,
    strict: common.Strict = False,
    as_json: common.AsJson = False,
) -> int:
    """Show a period's totals, and what is blocked or excluded and why.

    Warnings say what is probably wrong with its usage.
    """
    settings = common.settings()
    month = BillingPeriod.parse(period)
    async with open_database(settings) as db:
        with output.progress_when_slow() as say:
            document = await period_status(db, settings, month, say)
            say(f"{month}: warnings, 40 %")
            warnings = await gather.of_period(db, settings, month)
        fetch = await fetch_of_period(str(month))
        failing = await failing_or_nothing(db=db, period=str(month))
    if as_json:
        also = {"fetching": fetch_documents(fetch), "failing": step_documents(failing), "warnings": documents(warnings)}
        output.print_json({**document, **also})
    else:
        print_status(document)
        for group in failing:
            output.say(f"{sentence(group, datetime.now(UTC))}.")
        if fetch is not None:
            output.say(f"{'held' if fetch.held else 'running'}: {summary(fetch)}")
        print_block(warnings)
    return common.ExitStatus.PERSON if strict and warnings else common.ExitStatus.DONE


@app.command("approve")
@common.command
async def approve(
    period: PeriodArgument,
    by: By = None,
    without_source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Bill without this source, which the run waits for.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="With --without-source: the run of this account alone.")
    ] = None,
    reason: Why = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: common.AsJson = False,
) -> None:
    """Release a period that a limit or a source holds.

    A limit's hold is released at the current totals. --without-source bills without a source that the run waits for.

    What the source reports later is billed by a later run.
    """
    month = str(BillingPeriod.parse(period))
    who, asked = decider(by), ActOptions(yes, dry_run, as_json)
    if without_source is not None:
        await bill_without(without_source, month, account, (who, reason), asked)
    elif account is not None:
        raise InputError("--account goes with --without-source: a limit holds a whole period")
    else:
        await approve_totals(month, (who, reason), asked)
