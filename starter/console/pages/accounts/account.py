"""One account: its windows, its policies, its usage, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

from aiohttp import web

from activities.postgres.scopes import claim_scope
from billing.assessment.assessment import Assessment, ClaimScope
from billing.errors import InputError, RateCardError
from billing.invoice.record import InvoiceRecord
from billing.periods import BillingPeriod
from starter.acting.offers import act
from starter.console.frame import page
from starter.console.pages.accounts.policies import PolicyShown, policies_of
from starter.console.pages.invoices.listing import listing_address
from starter.console.pages.invoices.money import MoneyOfInvoice, money_of_invoice
from starter.console.pages.links import links_of_customer
from starter.console.pages.unknown import unknown
from starter.console.pages.usage_plots import by_day
from starter.console.pages.waiting import WaitingLine, waiting_lines
from starter.console.plots.plot import Plot
from starter.console.rate_cards import rate_card
from starter.console.services import ConsoleServices, services
from starter.links import Link
from starter.words.accounts import state_of
from starter.words.next_run import NextRun, next_run
from storage.lookup.account import AccountView, KnownCycle, view_account
from storage.lookup.estimate import estimate, present_cycle
from storage.lookup.naming import account_id
from storage.postgres.database import DatabaseUnavailableError
from storage.totals.totals import account_days

routes = web.RouteTableDef()

_INVOICES = 24
_DAYS = 92
_BY_DAY = f"Billed usage of the last {_DAYS} days, by day and class"
_NO_DAYS = "No usage of these days is billed yet."


@dataclass(frozen=True)
class ListedInvoice:
    """An invoice of the account, with what it comes to."""

    record: InvoiceRecord
    money: MoneyOfInvoice


@dataclass(frozen=True)
class NextInvoice:
    """What bills present usage in a currency: a period's run, or its subscription at the end of a cycle.

    `cycle` is None if Stripe has not announced one.
    """

    currency: str
    run: NextRun | None
    cycle: KnownCycle | None


@dataclass(frozen=True)
class AccountPage:
    """What the page shows. `estimates`: the next invoices if they were made now; None if that took too long."""

    read: AccountView
    state: str
    now: datetime
    period: BillingPeriod
    billed_period: str
    invoices: Sequence[ListedInvoice]
    all_invoices: str
    next_invoices: Sequence[NextInvoice]
    estimates: Sequence[Assessment] | None
    policies: Sequence[PolicyShown]
    plots: Sequence[Plot]
    links: Sequence[Link]
    waiting: Sequence[WaitingLine]
    policy_change: str

    @property
    def money(self) -> Mapping[str, Mapping[str, int]]:
        """What is unpaid and was given up, by currency, without what is nothing."""
        money = self.read.money
        return {"unpaid": money.unpaid, "uncollectible": money.uncollectible}


@routes.get("/accounts/{id:.+}")
async def account(request: web.Request) -> web.Response:
    """Show one account, by its id or by what else names it."""
    own, text = services(request), request.match_info["id"]
    now = datetime.now(UTC)
    read = None
    if "\0" not in text:
        read = await view_account(own.db, text, own.terms(now), own.settings.bill_after, invoices=_INVOICES)
    if read is None:
        try:
            found = await account_id(own.db, text)
        except InputError:
            return await unknown(request, "account", text)
        raise web.HTTPFound(f"/accounts/{quote(found, safe=':')}")
    title = read.account.name or read.account.attribution_id
    return page(request, "pages/account.html", title, await _view(own, read, now))


async def _view(own: ConsoleServices, read: AccountView, now: datetime) -> AccountPage:
    settings, whose = own.settings, read.account.attribution_id
    period = BillingPeriod.containing(now, settings.zone)
    scope = claim_scope(settings, period, cutoff=now, attribution_id=whose, makes_invoices=True)
    currencies = list(dict.fromkeys([run.currency for run in read.standing.runs] or [read.account.currency]))
    since = now.date() - timedelta(days=_DAYS)
    return AccountPage(
        read=read,
        state=state_of(read.account, now),
        now=now,
        period=period,
        billed_period=str(BillingPeriod.last_ended(now, settings.zone)),
        invoices=[
            ListedInvoice(each, money_of_invoice(each, read.notes.get(each.id, []), read.refunds.get(each.id, [])))
            for each in read.invoices
        ],
        all_invoices=listing_address(account=whose),
        next_invoices=[
            NextInvoice(each, next_run(read.standing, now, settings.zone, each), present_cycle(read, each, scope))
            for each in currencies
        ],
        estimates=await _estimates(own, read, scope),
        policies=policies_of(settings, read.policy, read.account.currency),
        plots=await by_day(_BY_DAY, await account_days(own.db, whose, since, date.max), _NO_DAYS),
        links=await links_of_customer(own, read.account.stripe_customer_id),
        waiting=await waiting_lines(own.db, read.waiting),
        policy_change=act("policy", whose),
    )


async def _estimates(own: ConsoleServices, read: AccountView, scope: ClaimScope) -> list[Assessment] | None:
    """Return what the next invoices would be now. None if there is no rate card, or it takes too long."""
    try:
        card = await rate_card(own)
        async with own.brief.one() as db:
            return await estimate(db, read, scope, card)
    except (RateCardError, DatabaseUnavailableError):
        return None
