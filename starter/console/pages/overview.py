"""The first page: how things are, at a glance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from activities.postgres.scopes import charged_kinds_of
from billing.invoice.states import OPEN, InvoiceState
from billing.periods import BillingPeriod
from starter.console.frame import page
from starter.console.pages import usage_plots
from starter.console.pages.health import HealthLine, health
from starter.console.pages.invoices.asking import MOVING, UNPAID
from starter.console.pages.periods.figures import CurrencyFigures, by_currency, state_of
from starter.console.pages.waiting import WaitingLine, waiting_lines
from starter.console.plots.plot import Plot
from starter.console.services import ConsoleServices, services
from storage.accounts.policies import read_hold
from storage.overview.standing import StandingInvoices, latest_period, standing_invoices
from storage.periods.periods import read_summary
from storage.postgres.database import Database
from storage.totals import totals
from storage.totals.so_far import SoFar, usage_so_far
from storage.totals.totals import MonthTotal
from storage.waiting.waiting import read_waiting, read_waiting_totals

routes = web.RouteTableDef()

_FEW = 6
_CURRENCIES = 3
_FEWEST_MONTHS = 6


@dataclass(frozen=True)
class PeriodGlance:
    """A period at a glance. `state`: in a word; `text`: what that means; `at`: since when.

    `so_far`: what the usage of a period that has not ended costs, estimated.
    """

    title: str
    period: str
    state: str
    text: str
    at: datetime | None
    figures: Sequence[CurrencyFigures]
    so_far: Sequence[SoFar] = ()


@dataclass(frozen=True)
class InvoicesGlance:
    """Invoices of one kind over all periods; amounts without issued credits, in minor units by currency.

    `to`: the page that lists them.
    """

    label: str
    note: str
    to: str
    tone: str
    invoices: int
    amounts: Mapping[str, int]


@dataclass(frozen=True)
class OverviewView:
    """What the page shows. `waiting`: the first few things for a person, of `waits` in all."""

    glances: Sequence[PeriodGlance]
    standing: Sequence[InvoicesGlance]
    waiting: Sequence[WaitingLine]
    waits: int
    health: Sequence[HealthLine]
    plots: Sequence[Plot]


@routes.get("/")
async def overview(request: web.Request) -> web.Response:
    """Show the present period, the last one, what waits, and how things are."""
    own, now = services(request), datetime.now(UTC)
    present = BillingPeriod.containing(now, own.settings.zone)
    glances, standing, waiting, lines, plots = await asyncio.gather(
        _glances(own, present, now),
        standing_invoices(own.db),
        _waiting(own, now),
        health(own.db, now, now - own.terms(now).unread_after),
        _plots(own.db, present),
    )
    view = OverviewView(glances, _standing(standing), *waiting, lines, plots)
    return page(request, "pages/overview.html", "Overview", view)


async def _glances(own: ConsoleServices, present: BillingPeriod, now: datetime) -> list[PeriodGlance]:
    """Return the present period, the last one, and the newest with invoices if that is an older one."""
    db, settings = own.db, own.settings
    last, newest = present.previous(), await latest_period(db)
    states = by_currency(await totals.by_state(db, str(present)), ())
    running = "Its usage is billed once it has ended; cancellations are billed at once."
    so_far = await usage_so_far(
        db,
        present.start(settings.zone),
        now,
        bill_after=settings.bill_after,
        charged_kinds=charged_kinds_of(settings),
    )
    glances = [
        PeriodGlance("This period so far", str(present), "in progress", running, None, states, so_far),
        await _glance_back(db, "Last period", last),
    ]
    if newest is not None and newest < str(last):
        glances.append(await _glance_back(db, "Newest period with invoices", BillingPeriod.parse(newest)))
    return glances


async def _glance_back(db: Database, title: str, month: BillingPeriod) -> PeriodGlance:
    then, before = [await totals.by_state(db, str(each)) for each in (month, month.previous())]
    summary, hold = await read_summary(db, str(month)), await read_hold(db, str(month))
    held = (hold.reason, hold.since) if hold is not None and hold.reason is not None else None
    settled = summary.settled_at if summary is not None else None
    return PeriodGlance(title, str(month), *state_of(then, settled, held), by_currency(then, before))


def _standing(found: Sequence[StandingInvoices]) -> list[InvoicesGlance]:
    moving = OPEN - {InvoiceState.BLOCKED}
    blocked = [each for each in found if each.state is InvoiceState.BLOCKED]
    return [
        _glance(
            [each for each in found if each.state in moving], "Open", "on their way to the customer", MOVING, "going"
        ),
        _glance(blocked, "Blocked", "a person must decide", "blocked", "bad"),
        _glance(
            [each for each in found if each.unpaid], "Unpaid", "finalized, neither paid nor given up", UNPAID, "note"
        ),
    ]


def _glance(found: Sequence[StandingInvoices], label: str, note: str, state: str, tone: str) -> InvoicesGlance:
    amounts: dict[str, int] = {}
    for each in found:
        amounts[each.currency] = amounts.get(each.currency, 0) + each.amount
    count = sum(each.invoices for each in found)
    return InvoicesGlance(label, note, f"/invoices?state={state}", tone if count else "quiet", count, amounts)


async def _waiting(own: ConsoleServices, now: datetime) -> tuple[list[WaitingLine], int]:
    terms = own.terms(now)
    things = await read_waiting(own.db, terms, most=_FEW)
    counted = await read_waiting_totals(own.db, terms)
    persons = [each for each in things if each.person]
    return await waiting_lines(own.db, persons[:_FEW]), sum(each.things for each in counted if each.person)


async def _plots(db: Database, present: BillingPeriod) -> list[Plot]:
    """Return the revenue by month and class: a plot for each currency, those with the most months first.

    It is that of the newest year: the present one, or if nothing was billed in it, the newest that was.
    """
    end, months = present, await totals.by_month(db, str(_year_before(present)))
    if not months and (newest := await latest_period(db)) is not None:
        end = BillingPeriod.parse(newest)
        months = await totals.by_month(db, str(_year_before(end)))
    currencies = sorted({each.currency for each in months}, key=lambda code: (-_months(months, code), code))
    return await usage_plots.by_currency(
        "Revenue by month and class",
        [(each.period, each) for each in months],
        "Month",
        _months_up_to(end, min((each.period for each in months), default=str(end))),
        currencies[:_CURRENCIES],
    )


def _year_before(month: BillingPeriod) -> BillingPeriod:
    """Return the first of the thirteen months up to this one: as far back as the same month of the year before."""
    return BillingPeriod(month.year - 1, month.month)


def _months_up_to(month: BillingPeriod, first: str) -> tuple[str, ...]:
    """Return the months from the first that brought something, at most thirteen, and enough for a picture."""
    months = [month]
    while len(months) < _FEWEST_MONTHS or (str(months[0]) > first and months[0] != _year_before(month)):
        months.insert(0, months[0].previous())
    return tuple(map(str, months))


def _months(months: Sequence[MonthTotal], currency: str) -> int:
    return len({each.period for each in months if each.currency == currency})
