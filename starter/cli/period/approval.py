"""Releasing a period that a limit holds, or that waits for a source."""

from __future__ import annotations

from billing.errors import InputError
from starter.acting.mode import mode_of
from starter.acting.periods import hold_plan, without_source_plan
from starter.acting.plans import because, totals
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, agreed
from starter.cli.acting.recording import record_decisions
from starter.cli.database import open_database
from starter.cli.period.fetching import fetch_of_period, refuse_held, summary
from storage.accounts import policies
from storage.decisions.trail import DecisionKind
from temporal.client import connect
from temporal.decisions import approve_period, go_without_source


async def approve_totals(month: str, decided: tuple[str, str], asked: ActOptions) -> None:
    """Release a period that a limit holds, at its current totals. `decided`: who releases it, and why.

    Raises:
        InputError: no limit holds it.
        CommandError: a person said no, or nobody could be asked.
        DecisionError: its totals have changed meanwhile, or no worker answers.
    """
    (who, reason), settings = decided, common.settings()
    async with open_database(settings) as db:
        hold = await policies.read_hold(db, month)
        if hold is not None and hold.reason is not None:
            plan, mode = await hold_plan(db, month, hold), await mode_of(settings, db)
    if hold is None or hold.reason is None:
        fetch = await fetch_of_period(month)
        if fetch is None:
            raise InputError(f"{month} is not held: there is nothing to approve")
        refuse_held(month, fetch, None)
        raise InputError(f"{month} is not held: {summary(fetch)}")
    if not agreed(plan, mode, asked):
        return
    await approve_period(await connect(), month, hold.totals, who, reason)
    if asked.as_json:
        output.print_json({"billing_period": month, "approved": hold.totals})
        return
    output.say(
        f"{month}: approved at {totals(hold.totals.items())} by {who}{because(reason)}. Its run bills it now: "
        f"`perdure period status {month}`."
    )


async def bill_without(
    source: str, month: str, account: str | None, decided: tuple[str, str], asked: ActOptions
) -> None:
    """Have the run of a period, or of one account, bill without a source that it waits for.

    `decided`: who says so, and why.

    Raises:
        CommandError: a person said no, or nobody could be asked.
        DecisionError: the run does not wait for the source, or no worker answers.
    """
    plan = without_source_plan(source, month, account)
    (who, reason), settings = decided, common.settings()
    async with open_database(settings) as db:
        if not agreed(plan, await mode_of(settings, db), asked):
            return
        client, why = await connect(), f"{source}{because(reason)}"
        await record_decisions(client, DecisionKind.WITHOUT_SOURCE, month, by=who, reason=why)
        await go_without_source(client, month, account, source, who)
    if asked.as_json:
        output.print_json({"billing_period": month, "without_source": source})
        return
    output.say(
        f"{month}: billing without {source} approved by {who}. Its run goes on now: `perdure period status {month}`. "
        f"The next run bills what {source} reports later."
    )
