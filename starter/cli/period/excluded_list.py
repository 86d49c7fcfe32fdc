"""`perdure period excluded`: the usage of a period that no invoice bills, instance by instance, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

import typer

from billing.money import format_amount, to_major
from billing.periods import BillingPeriod
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.period.excluded import excluded_usage
from starter.cli.period.names import with_names
from starter.words.fates import FATES, INVALID
from starter.words.worth import NOT_KNOWN
from storage.lookup.naming import payer_id

_Excluded: TypeAlias = Mapping[str, Any]


def _why(row: _Excluded) -> str:
    reason = row["reason"]
    return INVALID.get(reason) or FATES[reason].partition(": ")[2]


def _minutes(row: _Excluded) -> Decimal:
    return round(Decimal(row["duration_us"] or 0) / 60_000_000, 6)


def _worth(row: _Excluded) -> Decimal | None:
    return None if row["worth"] is None else to_major(row["worth"], row["currency"])


def _worth_text(row: _Excluded) -> str:
    return NOT_KNOWN if row["worth"] is None else format_amount(row["worth"], row["currency"])


_COLUMNS: Sequence[output.Column[_Excluded]] = (
    output.Column("Instance", lambda row: row["instance_id"]),
    output.Column(
        "Duration", lambda row: row["duration_us"] or 0, lambda row: output.hours(row["duration_us"] or 0), right=True
    ),
    output.Column("Worth", _worth, _worth_text, right=True),
    output.Column("Why", _why, prose=True),
    output.Column("Account", lambda row: row["attribution_id"], show="room"),
    output.account_name(lambda row: row["account_name"]),
    output.Column("Minutes", _minutes, show="wide", right=True),
    output.Column("Credits", lambda row: row["credits"], show="wide", right=True),
    output.Column("Currency", lambda row: (row["currency"] or "").upper() or None, show="wide"),
    output.Column("Reason", lambda row: row["reason"], show="wide"),
)


@common.command
async def excluded(
    period: Annotated[str, typer.Argument(metavar="PERIOD", help="A calendar month, YYYY-MM.")],
    account: Annotated[str | None, typer.Option(metavar="ID", help="Only of this account.")] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List the usage that is not billed, why, and its worth.

    The worth is what it would cost at the present rate card. Included credits and graduated prices are left out. What
    the rate card has no rate for is not known.
    """
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    settings, month = common.settings(), BillingPeriod.parse(period)
    async with open_database(settings) as db:
        with output.progress_when_slow() as say:
            say(f"{month}: reading what is not billed")
            payer = None if account is None else await payer_id(db, account)
            rows = await with_names(db, await excluded_usage(db, settings, month, account=payer))
    await output.listing(rows, _COLUMNS, view, empty=f"All usage of {month} is billed, or will be.", document=dict)
