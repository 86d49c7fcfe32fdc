"""`perdure period list`: all periods, with their totals and what waits in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.money import format_amount
from starter.cli import common, output
from starter.cli.database import open_database
from storage.periods.listed import ListedPeriod, list_periods


def _state(period: ListedPeriod) -> str:
    if period.held is not None:
        return "held"
    if period.blocked:
        return "blocked"
    return "open" if period.open or period.settled_at is None else "settled"


def _total(period: ListedPeriod) -> str:
    return ", ".join(format_amount(amount, currency) for currency, amount in sorted(period.totals.items()))


_COLUMNS: Sequence[output.Column[ListedPeriod]] = (
    output.Column("Period", lambda each: each.period),
    output.state("State", _state),
    output.Column("Invoices", lambda each: each.invoices, right=True),
    output.Column("Total", _total),
    output.Column("Open", lambda each: each.open, show="room", right=True),
    output.Column("Blocked", lambda each: each.blocked, show="room", right=True),
    output.instant("Settled", lambda each: each.settled_at),
    output.Column("Held", lambda each: each.held, show="wide", prose=True),
)


@common.command
async def list_(
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List all periods: invoices, totals, what waits."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        periods = await list_periods(db)
    empty = "No periods yet: `perdure period run PERIOD` bills one."
    await output.listing(periods, _COLUMNS, view, empty=empty, document=_document)


def _document(period: ListedPeriod) -> dict[str, Any]:
    return {
        "billing_period": period.period,
        "state": _state(period),
        "invoices": period.invoices,
        "open": period.open,
        "blocked": period.blocked,
        "totals": period.totals,
        "settled_at": output.json_instant(period.settled_at),
        "held": period.held,
    }
