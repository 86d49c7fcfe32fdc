"""A billing period: how far it is, what it brings by state, class, day and account, and what waits in it."""

from __future__ import annotations

import asyncio
import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from aiohttp import web

from billing.periods import BillingPeriod
from starter.acting.offers import Offer, period_offers
from starter.console.frame import fragment, page
from starter.console.live import stream
from starter.console.pages import usage_plots
from starter.console.pages.periods.fetching import awaited_sources
from starter.console.pages.periods.figures import (
    CurrencyFigures,
    StateFigures,
    by_currency,
    by_state,
    change_in_words,
    settled_of,
    state_of,
)
from starter.console.pages.waiting import WaitingLine, waiting_lines
from starter.console.plots.plot import Plot
from starter.console.services import ConsoleServices, services
from storage.accounts.policies import read_hold
from storage.periods.periods import read_summary
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.totals import AccountTotal, ClassTotal, DayTotal, StateTotal
from storage.waiting.kinds import WaitingKind
from storage.waiting.waiting import read_waiting

routes = web.RouteTableDef()

_TO_APPROVE = (WaitingKind.AWAITS_APPROVAL, WaitingKind.INVOICE_OVER_LIMIT)
_MOST_WAITING = 20
_MOST_ACCOUNTS = 10
_LIVE_SECONDS = 2.0


@dataclass(frozen=True)
class PeriodSoFar:
    """What changes while a period runs. `changes`: whether it can still change by itself."""

    period: str
    state: str
    text: str
    at: datetime | None
    settled: int
    live: int
    currencies: Sequence[CurrencyFigures]
    states: Sequence[StateFigures]
    changes: bool


@dataclass(frozen=True)
class LargestAccount:
    """An account, and how its net amount has changed since the month before, in words."""

    total: AccountTotal
    change: str


@dataclass(frozen=True)
class CurrencyClasses:
    """The settled usage of one currency by class, and what all of it comes to."""

    classes: Sequence[ClassTotal]
    total: ClassTotal


@dataclass(frozen=True)
class PeriodView:
    """What the page shows. `previous`, `next`: the months around it; `largest`: accounts by net amount.

    `awaited`: the sources that its run waits for.
    """

    progress: PeriodSoFar
    previous: str
    next: str
    offers: Sequence[Offer]
    awaited: Sequence[str]
    waiting: Sequence[WaitingLine]
    currencies: Sequence[CurrencyClasses]
    largest: Sequence[LargestAccount]
    plots: Sequence[Plot]


@routes.get(r"/periods/{period:\d{4}-\d{2}}")
async def period(request: web.Request) -> web.Response:
    """Show a period."""
    own, month = services(request), BillingPeriod.parse(request.match_info["period"])
    name = str(month)
    terms = own.terms(datetime.now(UTC))
    (progress, held), waiting, classes, days = await asyncio.gather(
        _progress(own, month),
        read_waiting(own.db, terms, period=name, most=_MOST_WAITING),
        totals.by_class(own.db, name),
        totals.by_day(own.db, name),
    )
    ended = month.end(own.settings.zone) <= terms.now
    largest, plots, awaited = await asyncio.gather(
        _largest(own.db, name, [each.currency for each in progress.currencies]),
        _plots(days, month),
        awaited_sources(own, name) if ended and progress.state != "settled" else _none(),
    )
    view = PeriodView(
        progress=progress,
        previous=str(month.previous()),
        next=str(month.next()),
        offers=period_offers(
            name,
            held=held,
            awaiting=any(each.kind in _TO_APPROVE for each in waiting),
            awaited=awaited,
            ended=ended,
        ),
        awaited=awaited,
        waiting=await waiting_lines(own.db, waiting[:_MOST_WAITING]),
        currencies=_by_currency(classes),
        largest=[LargestAccount(each, change_in_words(each.net, each.before)) for each in largest],
        plots=plots,
    )
    return page(request, "pages/period.html", f"Period {name}", view)


async def _none() -> list[str]:
    return []


@routes.get(r"/periods/{period:\d{4}-\d{2}}/live")
async def live(request: web.Request) -> web.StreamResponse:
    """Send how far the period is, again whenever that changes."""
    own, month = services(request), BillingPeriod.parse(request.match_info["period"])

    async def render() -> tuple[str, bool]:
        progress, _ = await _progress(own, month)
        return fragment(request, "pages/period-progress.html", progress), progress.changes

    return await stream(request, render, every=_LIVE_SECONDS)


async def _progress(own: ConsoleServices, month: BillingPeriod) -> tuple[PeriodSoFar, bool]:
    """Return how far the period is, and whether a limit holds it."""
    states = await totals.by_state(own.db, str(month))
    before = await totals.by_state(own.db, str(month.previous()))
    summary, hold = await read_summary(own.db, str(month)), await read_hold(own.db, str(month))
    held = (hold.reason, hold.since) if hold is not None and hold.reason is not None else None
    settled_at = summary.settled_at if summary is not None else None
    ended = month.end(own.settings.zone) <= datetime.now(UTC)
    return _of(month, states, before, _state(states, settled_at, held, ended=ended)), held is not None


def _state(
    states: Sequence[StateTotal],
    settled_at: datetime | None,
    held: tuple[str, datetime | None] | None,
    *,
    ended: bool,
) -> tuple[str, str, datetime | None]:
    if not ended and settled_at is None:
        return "in progress", "It has not ended yet. Its usage is billed then; cancellations are billed at once.", None
    return state_of(states, settled_at, held)


def _of(
    month: BillingPeriod,
    states: Sequence[StateTotal],
    before: Sequence[StateTotal],
    state: tuple[str, str, datetime | None],
) -> PeriodSoFar:
    settled, live_invoices = settled_of(states)
    word, text, at = state
    changes = word != "settled"  # a period that was not run may be run at any time
    return PeriodSoFar(
        str(month), word, text, at, settled, live_invoices, by_currency(states, before), by_state(states), changes
    )


async def _largest(db: Database, period: str, currencies: Sequence[str]) -> list[AccountTotal]:
    """Return the largest accounts of each currency of the period."""
    found = [await totals.largest_accounts(db, period, each, _MOST_ACCOUNTS) for each in currencies]
    return [account for accounts in found for account in accounts]


def _by_currency(classes: Sequence[ClassTotal]) -> list[CurrencyClasses]:
    return [
        CurrencyClasses(same, _sum(currency, same))
        for currency in sorted({each.currency for each in classes})
        for same in [[each for each in classes if each.currency == currency]]
    ]


def _sum(currency: str, classes: Sequence[ClassTotal]) -> ClassTotal:
    zero = Decimal(0)
    return ClassTotal(
        currency,
        "",
        sum(each.duration_us for each in classes),
        sum((each.quantity_us for each in classes), zero),
        sum((each.credits for each in classes), zero),
        sum(each.amount for each in classes),
    )


async def _plots(days: Sequence[DayTotal], month: BillingPeriod) -> list[Plot]:
    """Return the revenue by day and class, a plot for each currency."""
    count = calendar.monthrange(month.year, month.month)[1]
    all_days = tuple(f"{month}-{day:02d}" for day in range(1, count + 1))
    return await usage_plots.by_day("Revenue by day and class", days, "No invoice is settled.", all_days)
