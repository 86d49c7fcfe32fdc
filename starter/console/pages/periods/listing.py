"""All billing periods, the newest first: what each brought, against the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from billing.periods import BillingPeriod
from starter.console.frame import page
from starter.console.pages.periods.figures import change_in_words
from starter.console.services import services
from storage.periods.listed import ListedPeriod, list_periods

routes = web.RouteTableDef()


@dataclass(frozen=True)
class PeriodRow:
    """A period. `totals`: of its live invoices, before credits, in minor units by currency; `changes`: in words."""

    period: str
    state: str
    invoices: int
    open: int
    blocked: int
    totals: Mapping[str, int]
    changes: Mapping[str, str]
    settled_at: datetime | None


@routes.get("/periods")
async def periods(request: web.Request) -> web.Response:
    """Show the periods."""
    found = await list_periods(services(request).db)
    totals = {each.period: each.totals for each in found}
    return page(request, "pages/periods.html", "Periods", [_row(each, totals) for each in found])


def _row(each: ListedPeriod, totals: Mapping[str, Mapping[str, int]]) -> PeriodRow:
    before = totals.get(str(BillingPeriod.parse(each.period).previous()), {})
    return PeriodRow(
        period=each.period,
        state=_state(each),
        invoices=each.invoices,
        open=each.open,
        blocked=each.blocked,
        totals=each.totals,
        changes={code: change_in_words(amount, before.get(code)) for code, amount in each.totals.items()},
        settled_at=each.settled_at,
    )


def _state(each: ListedPeriod) -> str:
    if each.held is not None:
        return "held"
    if each.blocked:
        return "blocked"
    if each.open or each.settled_at is None:
        return "in progress"
    return "settled"
