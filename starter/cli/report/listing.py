"""`perdure report list`: the ids of the invoices' reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, TypeAlias

import typer

from billing.invoice.key import InvoiceKey
from billing.periods import BillingPeriod
from starter.cli import common, output
from starter.cli.database import open_database
from storage.lookup.naming import names_of
from storage.postgres.database import Database
from storage.recovery import losses

_PAGE = 1000

_Named: TypeAlias = tuple[str, str, str | None]
_COLUMNS: Sequence[output.Column[_Named]] = (
    output.Column("Report id", lambda each: each[1]),
    output.Column("Invoice key", lambda each: each[0]),
    output.account_name(lambda each: each[2]),
)


@common.command
async def list_(
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="Only of this period, YYYY-MM.")] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List the reports of all invoices."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    month = None if period is None else str(BillingPeriod.parse(period))
    async with open_database(common.settings()) as db:
        await output.listing(_reports(db, month), _COLUMNS, view, empty="No reports.")


async def _reports(db: Database, period: str | None) -> AsyncIterator[_Named]:
    after = ""
    while page := await losses.reports(db, after=after, period=period, limit=_PAGE):
        accounts = {key: InvoiceKey.parse(key).attribution_id for key, _ in page}
        names = await names_of(db, set(accounts.values()))
        for key, report_id in page:
            yield key, report_id, names.get(accounts[key])
        after = page[-1][0]
