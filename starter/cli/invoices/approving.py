"""`perdure invoices approve`: one invoice, or all of a period that wait for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.errors import InputError
from billing.invoice.policy import BlockedKind
from billing.periods import BillingPeriod
from starter.acting.invoices import approval
from starter.acting.mode import mode_of
from starter.acting.plans import because
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, By, DryRun, Why, Yes, decider
from starter.cli.acting.recording import record_decisions
from starter.cli.database import open_database
from starter.cli.invoices.approving_all import approve_all
from starter.cli.invoices.deciding import carry_out
from starter.cli.invoices.find import find_invoice
from starter.cli.invoices.results import PATIENCE_SECONDS, Wait
from storage.decisions.trail import DecisionKind
from storage.postgres.database import Database
from temporal.client import connect

NotYet = Annotated[
    bool, typer.Option("--not-yet", help="Do not approve it: it waits on, and --all leaves it out. Needs --reason.")
]


@common.command
async def approve(
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="The invoice key.")] = None,
    amount: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="Approve only this amount, in major units; default: as it is."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All invoices of a period that wait for an approval.")] = False,
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="With --all: which period, YYYY-MM.")] = None,
    not_yet: NotYet = False,
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
    Stripe, and not those that --not-yet was said of. The status is 4 if some were refused.
    """
    if not_yet and (all_ or amount is not None or not reason):
        raise InputError("--not-yet goes with one invoice, and with --reason: say what it waits for")
    if (key is None) is not all_ or (period is None) is all_:
        raise InputError("name one invoice, or all that wait in a period: --all --period PERIOD")
    if all_ and amount is not None:
        raise InputError("--amount goes with one invoice: --all approves each at the amount that is listed")
    settings, asked, who = common.settings(), ActOptions(yes, dry_run, as_json), decider(by)
    async with open_database(settings) as db:
        if not_yet:
            return await _put_off(db, key, who, reason, asked)
        if period is not None:
            mode = await mode_of(settings, db)
            return await approve_all(db, mode, BillingPeriod.parse(period), (who, reason), wait, asked)
        assert key is not None
        record = await find_invoice(db, key)
        return await carry_out(db, settings, record, approval(record, amount, who, reason), wait, asked)


async def _put_off(db: Database, key: str | None, who: str, reason: str, asked: ActOptions) -> int:
    """Record that an invoice that waits is not approved yet, and why.

    Raises:
        InputError: it does not wait for an approval.
    """
    assert key is not None
    record = await find_invoice(db, key)
    if not (record.awaits_approval or record.blocked_kind is BlockedKind.LIMIT):
        raise InputError(f"invoice {record.key} does not wait for an approval")
    if not asked.dry_run:
        await record_decisions(await connect(), DecisionKind.NOT_YET, record.key, by=who, reason=reason)
    if asked.as_json:
        output.print_json({"key": record.key, "state": str(record.state), "put_off": not asked.dry_run})
    else:
        done = "would not be" if asked.dry_run else "not"
        output.say(f"{record.key}: {done} approved yet{because(reason)}. It waits for an approval of its own.")
    return common.ExitStatus.DONE
