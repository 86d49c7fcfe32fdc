"""All accounts: searched, page by page, with what they were billed and owe, and as CSV or XLSX."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from aiohttp import web

from billing.accounts.plan import AccountRecord
from billing.periods import BillingPeriod
from starter.console.frame import page
from starter.console.html.listing import FilterField, Pager
from starter.console.pages.downloads import send_csv, send_xlsx
from starter.console.services import ConsoleServices, services
from starter.sheets import Money, Row, Sheet, SheetColumn
from starter.words.accounts import state_of
from storage.accounts.accounts import list_accounts
from storage.browsing.accounts import LastInvoice, last_invoices
from storage.lookup.money import NO_MONEY, AccountMoney, money_of

routes = web.RouteTableDef()

_PAGE = 50
_AT_ONCE = 1000
_LONGEST = 200


@dataclass(frozen=True)
class BrowsedAccount:
    """An account in the list. `money`: of the period that ended last, and what is unpaid of any."""

    account: AccountRecord
    state: str
    money: AccountMoney
    last: LastInvoice | None


@dataclass(frozen=True)
class AccountsView:
    """What the page shows. `period`: it ended last."""

    fields: Sequence[FilterField]
    rows: Sequence[BrowsedAccount]
    period: str
    pager: Pager
    csv: str
    filtered: bool


@routes.get("/accounts")
async def accounts(request: web.Request) -> web.Response:
    """Show a page of the accounts that the search finds."""
    own, text = services(request), _text(request)
    after = request.query.get("after", "").replace("\0", "")[:_LONGEST]
    found = await list_accounts(own.db, after, _PAGE + 1, text=text)
    rows = await _rows(own, found[:_PAGE])
    given = {"text": text} if text else {}
    more = {**given, "after": found[_PAGE - 1].attribution_id} if len(found) > _PAGE else {}
    view = AccountsView(
        fields=[FilterField("text", "Search", text or "", hint="Id, name, customer, subscription")],
        rows=rows,
        period=_period(own),
        pager=Pager(
            f"{len(rows)} on this page",
            first=_address(given) if after else "",
            next=_address(more) if more else "",
        ),
        csv=_address(given, "/accounts.csv"),
        filtered=text is not None,
    )
    return page(request, "pages/accounts.html", "Accounts", view)


@routes.get("/accounts.csv")
async def as_csv(request: web.Request) -> web.StreamResponse:
    """Send every account that the search finds as CSV."""
    return await send_csv(request, _sheet(services(request), _text(request)), "accounts")


@routes.get("/accounts.xlsx")
async def as_xlsx(request: web.Request) -> web.StreamResponse:
    """Send every account that the search finds as a spreadsheet."""
    return await send_xlsx(request, _sheet(services(request), _text(request)), "accounts")


async def _rows(own: ConsoleServices, found: Sequence[AccountRecord]) -> list[BrowsedAccount]:
    ids = [each.attribution_id for each in found]
    money, last = await money_of(own.db, ids, _period(own)), await last_invoices(own.db, ids)
    now = datetime.now(UTC)
    return [
        BrowsedAccount(
            each, state_of(each, now), money.get(each.attribution_id, NO_MONEY), last.get(each.attribution_id)
        )
        for each in found
    ]


def _sheet(own: ConsoleServices, text: str | None) -> Sheet:
    columns = (
        *map(SheetColumn, ("Account", "Name", "State", "Customer")),
        SheetColumn("Currency", currency=True),
        SheetColumn(f"Billed {_period(own)}", total=True),
        SheetColumn("Unpaid", total=True),
        *map(SheetColumn, ("Last invoice", "Created")),
    )
    return Sheet("Accounts", columns, _cells(own, text), empty="No accounts.")


async def _cells(own: ConsoleServices, text: str | None) -> AsyncIterator[Row]:
    """Yield a row for each account and currency that it has money in, at least one for each account."""
    after = ""
    while found := await list_accounts(own.db, after, _AT_ONCE, text=text):
        for row in await _rows(own, found):
            for currency in sorted({*row.money.billed, *row.money.unpaid}) or [row.account.currency]:
                yield (
                    row.account.attribution_id,
                    row.account.name,
                    row.state,
                    row.account.stripe_customer_id,
                    currency.upper(),
                    Money.of(row.money.billed.get(currency, 0), currency),
                    Money.of(row.money.unpaid.get(currency, 0), currency),
                    row.last.key if row.last else None,
                    row.account.created_at,
                )
        after = found[-1].attribution_id


def _period(own: ConsoleServices) -> str:
    return str(BillingPeriod.last_ended(datetime.now(UTC), own.settings.zone))


def _text(request: web.Request) -> str | None:
    return request.query.get("text", "").replace("\0", "").strip()[:_LONGEST] or None


def _address(query: dict[str, str], path: str = "/accounts") -> str:
    return f"{path}?{urlencode(query)}" if query else path
