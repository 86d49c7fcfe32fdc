"""`perdure invoices`: list, show, retry. `credit` and the decisions have their own files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import typer

from billing.errors import InputError
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.periods import BillingPeriod
from starter.acting.invoices import retry_plan
from starter.acting.mode import mode_of
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, By, DryRun, Why, Yes, agreed, decider
from starter.cli.database import open_database
from starter.cli.invoices import decisions
from starter.cli.invoices.approving import approve
from starter.cli.invoices.correcting.command import correct
from starter.cli.invoices.credit import credit
from starter.cli.invoices.find import Listed, find_invoice, listed_invoices
from starter.cli.invoices.listing import COLUMNS, print_invoices
from starter.cli.invoices.retry import retry_invoices
from starter.cli.invoices.showing.command import show
from starter.cli.statement.commands import statement
from storage.invoices import invoices
from storage.lookup.naming import account_id
from storage.postgres.database import Database

app = typer.Typer(help="Invoices: list, show, approve, void, credit, others.", no_args_is_help=True)

_PAGE = 500
PeriodOption = Annotated[str | None, typer.Option(metavar="PERIOD", help="Only invoices of this period, YYYY-MM.")]


@app.command("list")
@common.command
async def list_(
    period: PeriodOption = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Only invoices of this account.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"Only invoices in this state: {', '.join(InvoiceState)}.")
    ] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List invoices, all or by period, account or state."""
    month, wanted = _period(period), _state(state)
    view = output.view(form, COLUMNS, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        payer = None if account is None else await account_id(db, account)
        found = every_listed_invoice(db, period=month, attribution_id=payer, state=wanted)
        await print_invoices(found, view)


app.command("show")(show)


@app.command("retry")
@common.command
async def retry(
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Invoice keys.")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every blocked invoice, except those that a limit holds.")
    ] = False,
    period: PeriodOption = None,
    reason: Why = "",
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the results.")] = 15.0,
    as_json: common.AsJson = False,
) -> int:
    """Retry blocked invoices, after the cause is fixed.

    With --all, a person is asked first.

    The status is 3 if an invoice is blocked again, and 69 if no worker answers.
    """
    month = _period(period)
    if bool(keys) == all_:
        raise InputError("name the invoices to retry, or use --all for every blocked invoice")
    if keys and month:
        raise InputError("--period needs --all: a key already names its period")
    settings = common.settings()
    async with open_database(settings) as db:
        if keys:
            records = [await find_invoice(db, key) for key in dict.fromkeys(keys)]
        else:
            blocked = every_invoice(db, period=month, attribution_id=None, state=InvoiceState.BLOCKED)
            records = [record async for record in blocked if record.blocked_kind is not BlockedKind.LIMIT]
        asks = dry_run or (all_ and records)
        plan, asked = retry_plan(records, month), ActOptions(yes, dry_run, as_json)
        if asks and not agreed(plan, await mode_of(settings, db), asked):
            return common.ExitStatus.DONE
        return await retry_invoices(db, records, decider(by), reason, patience_seconds=wait, as_json=as_json)


app.command("credit")(credit)
app.command("correct")(correct)
app.command("approve")(approve)
app.command("rebuild")(decisions.rebuild)
app.command("void")(decisions.void)
app.command("statement")(statement)


async def every_invoice(
    db: Database, *, period: str | None, attribution_id: str | None, state: InvoiceState | None
) -> AsyncIterator[InvoiceRecord]:
    """Yield all invoices that match, in the order of their keys, reading a page at a time."""
    async for page in _pages(db, period, attribution_id, state):
        for record in page:
            yield record


async def every_listed_invoice(
    db: Database, *, period: str | None, attribution_id: str | None, state: InvoiceState | None
) -> AsyncIterator[Listed]:
    """Yield what `every_invoice` yields, each invoice with its credit notes, disputes and refunds."""
    async for page in _pages(db, period, attribution_id, state):
        for listed in await listed_invoices(db, page):
            yield listed


async def _pages(
    db: Database, period: str | None, attribution_id: str | None, state: InvoiceState | None
) -> AsyncIterator[list[InvoiceRecord]]:
    after = ""
    while page := await invoices.list_invoices(
        db, period=period, attribution_id=attribution_id, state=state, after=after, limit=_PAGE
    ):
        yield page
        after = page[-1].key


def _period(text: str | None) -> str | None:
    return None if text is None else str(BillingPeriod.parse(text))


def _state(text: str | None) -> InvoiceState | None:
    if text is None:
        return None
    if text not in list(InvoiceState):
        raise InputError(f"--state {text!r}: write one of {', '.join(InvoiceState)}")
    return InvoiceState(text)
