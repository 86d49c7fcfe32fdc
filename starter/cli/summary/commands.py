"""`perdure summary`: what a period brought, against another period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from billing.errors import InputError
from billing.invoice.states import DEAD
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.text import plural
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.summary.columns import columns, percent
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.summary import SummaryBy, SummaryRow, summarize, summed


@common.command
async def summary(
    period: Annotated[str, typer.Argument(metavar="PERIOD", help="A calendar month, YYYY-MM.")],
    by: Annotated[str, typer.Option(metavar="|".join(SummaryBy), help="What the rows are.")] = SummaryBy.CURRENCY,
    compare: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="Another month: adds the change in amount and percent.")
    ] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """Show what a month brought, by account, class or day.

    The net amount is what settled, open and blocked invoices bill, with accepted edits in Stripe, less issued credits.
    Days are in UTC. Below the table are the totals of the whole period, one for each currency.
    """
    month = str(BillingPeriod.parse(period))
    before = None if compare is None else str(BillingPeriod.parse(compare))
    if before == month:
        raise InputError(f"--compare {compare}: write another month than {month}")
    rows_are = _by(by)
    shown = columns(rows_are, before)
    view = output.view(form, shown, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        if before is not None and not await totals.by_state(db, before):
            output.remark(f"{before} has no invoices: there is nothing to compare with.")
        empty = f"Nothing is billed or open in {month}."
        printed = await output.listing(summarize(db, month, rows_are, before), shown, view, empty=empty)
        if printed and view.for_people:
            if view.limit is not None:  # the totals are of all rows
                printed = [row async for row in summarize(db, month, SummaryBy.CURRENCY, before)]
            await _print_totals(db, month, before, summed(printed))


def _by(text: str) -> SummaryBy:
    if text not in list(SummaryBy):
        raise InputError(f"--by {text}: write one of {', '.join(SummaryBy)}")
    return SummaryBy(text)


async def _print_totals(db: Database, month: str, before: str | None, sums: Sequence[SummaryRow]) -> None:
    """Print the sums by currency, with what they consist of, and what was voided."""
    for row in sums:
        output.say(_sum(row))
        if before is not None:
            output.say(f"  {before}: {format_amount(row.before, row.currency)}; {_change(row)}")
    dead = [each for each in await totals.by_state(db, month) if each.state in DEAD]
    if dead:
        amounts = ", ".join(_voided(dead))
        output.say(
            f"Not counted: {plural(sum(each.invoices for each in dead), 'voided or deleted invoice')}, {amounts}."
        )


def _sum(row: SummaryRow) -> str:
    parts = [
        f"{'-' if amount < 0 else '+'} {format_amount(abs(amount), row.currency)} {what}"
        for amount, what in (
            (row.open, "open"),
            (row.blocked, "blocked"),
            (row.edited, "edited in Stripe"),
            (-row.credited, "credited"),
        )
        if amount
    ]
    said = " ".join([f"{format_amount(row.settled, row.currency)} settled", *parts])
    return f"Total: {format_amount(row.net, row.currency)}" + (f" = {said}" if parts else ", all of it settled") + "."


def _change(row: SummaryRow) -> str:
    change, share = row.net - row.before, percent(row)
    sign = "+" if change > 0 else ""
    return f"change {sign}{format_amount(change, row.currency)}" + ("." if share is None else f" ({share:+,} %).")


def _voided(dead: Sequence[totals.StateTotal]) -> list[str]:
    amounts: dict[str, int] = {}
    for each in dead:
        amounts[each.currency] = amounts.get(each.currency, 0) + each.amount
    return [format_amount(amount, currency) for currency, amount in sorted(amounts.items())]
