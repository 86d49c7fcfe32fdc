"""`perdure invoices approve`: one invoice, or all of a period that wait for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.errors import InputError
from billing.periods import BillingPeriod
from starter.acting.invoices import approval
from starter.acting.mode import mode_of
from starter.cli import common
from starter.cli.acting.plans import ActOptions, By, DryRun, Why, Yes, decider
from starter.cli.database import open_database
from starter.cli.invoices.approving_all import approve_all
from starter.cli.invoices.deciding import carry_out
from starter.cli.invoices.find import find_invoice
from starter.cli.invoices.results import PATIENCE_SECONDS, Wait


@common.command
async def approve(
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="The invoice key.")] = None,
    amount: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="Approve only this amount, in major units; default: as it is."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All invoices of a period that wait for an approval.")] = False,
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="With --all: which period, YYYY-MM.")] = None,
    reason: Why = "",
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Approve an invoice that waits for a person, at its amount.

    Releases an invoice that awaits approval or that a limit holds. Accepts the amount of an invoice edited in Stripe.

    --all --period PERIOD lists those that wait, with the month before, and approves all; not those that were edited in
    Stripe. The status is 4 if some were refused.
    """
    if (key is None) is not all_ or (period is None) is all_:
        raise InputError("name one invoice, or all that wait in a period: --all --period PERIOD")
    if all_ and amount is not None:
        raise InputError("--amount goes with one invoice: --all approves each at the amount that is listed")
    settings, asked, who = common.settings(), ActOptions(yes, dry_run, as_json), decider(by)
    async with open_database(settings) as db:
        if period is not None:
            mode = await mode_of(settings, db)
            return await approve_all(db, mode, BillingPeriod.parse(period), (who, reason), wait, asked)
        assert key is not None
        record = await find_invoice(db, key)
        return await carry_out(db, settings, record, approval(record, amount, who, reason), wait, asked)
