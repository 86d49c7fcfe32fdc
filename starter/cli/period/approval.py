"""Releasing a period that a limit holds, or that waits for a source."""

from __future__ import annotations

from billing.errors import InputError
from billing.money import format_amount
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.period.fetching import fetch_of_period, refuse_held, summary
from storage.accounts import policies
from temporal.client import connect
from temporal.decisions import approve_period, go_without_source


async def approve_totals(month: str, who: str, *, as_json: bool) -> None:
    """Release a period that a limit holds, at its current totals.

    Raises:
        InputError: no limit holds it.
        DecisionError: its totals have changed meanwhile, or no worker answers.
    """
    async with open_database(common.settings()) as db:
        hold = await policies.read_hold(db, month)
    if hold is None or hold.reason is None:
        fetch = await fetch_of_period(month)
        if fetch is None:
            raise InputError(f"{month} is not held: there is nothing to approve")
        refuse_held(month, fetch, None)
        raise InputError(f"{month} is not held: {summary(fetch)}")
    await approve_period(await connect(), month, hold.totals, who)
    if as_json:
        output.print_json({"billing_period": month, "approved": hold.totals})
        return
    totals = ", ".join(format_amount(amount, currency) for currency, amount in sorted(hold.totals.items()))
    output.say(f"{month}: approved at {totals} by {who}. Its run bills it now: `perdure period status {month}`.")


async def bill_without(source: str, month: str, account: str | None, who: str, *, as_json: bool) -> None:
    """Have the run of a period, or of one account, bill without a source that it waits for.

    Raises:
        DecisionError: the run does not wait for the source, or no worker answers.
    """
    await go_without_source(await connect(), month, account, source, who)
    if as_json:
        output.print_json({"billing_period": month, "without_source": source})
        return
    output.say(
        f"{month}: billing without {source} approved by {who}. Its run goes on now: `perdure period status {month}`. "
        f"The next run bills what {source} reports later."
    )
