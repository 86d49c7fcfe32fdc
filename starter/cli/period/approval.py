"""Releasing a period that a limit holds, or that waits for a source."""

from __future__ import annotations

from billing.errors import InputError
from billing.periods import BillingPeriod
from starter.cli import common, output
from starter.cli.acting.mode import mode_of
from starter.cli.acting.plans import ActOptions, Plan, agreed, because, totals
from starter.cli.acting.recording import record_decisions
from starter.cli.database import open_database
from starter.cli.period.fetching import fetch_of_period, refuse_held, summary
from storage.accounts import policies
from storage.accounts.policies import PeriodHold
from storage.decisions.trail import DecisionKind
from storage.postgres.database import Database
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
            plan, mode = await _plan(db, month, hold), await mode_of(settings, db)
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


async def _plan(db: Database, month: str, hold: PeriodHold) -> Plan:
    previous = str(BillingPeriod.parse(month).previous())
    billed = await policies.period_totals(db, previous, previous)
    facts = [
        ("Amount", totals(hold.totals.items())),
        (previous, totals((each.currency, each.amount) for each in billed)),
        ("Held", f"since {output.when_and_ago(hold.since)}: {hold.reason}"),
    ]
    effects = "Its invoices are made, finalized and charged, unless one waits for an approval of its own."
    return Plan(f"Approve {month}", facts, effects, document={"billing_period": month, "totals": hold.totals})


async def bill_without(
    source: str, month: str, account: str | None, decided: tuple[str, str], asked: ActOptions
) -> None:
    """Have the run of a period, or of one account, bill without a source that it waits for.

    `decided`: who says so, and why.

    Raises:
        CommandError: a person said no, or nobody could be asked.
        DecisionError: the run does not wait for the source, or no worker answers.
    """
    facts = [("Period", month), ("Account", account or "all"), ("Without", source)]
    effects = f"Its run bills what is known now. The next run bills what {source} reports later."
    document = {"billing_period": month, "attribution_id": account, "without_source": source}
    plan = Plan(f"Bill {month} without {source}", facts, effects, document=document)
    (who, reason), settings = decided, common.settings()
    async with open_database(settings) as db:
        if not agreed(plan, await mode_of(settings, db), asked):
            return
        client, why = await connect(), f"{source}{because(reason)}"
        await go_without_source(client, month, account, source, who)
        await record_decisions(client, DecisionKind.WITHOUT_SOURCE, month, by=who, reason=why)
    if asked.as_json:
        output.print_json({"billing_period": month, "without_source": source})
        return
    output.say(
        f"{month}: billing without {source} approved by {who}. Its run goes on now: `perdure period status {month}`. "
        f"The next run bills what {source} reports later."
    )
