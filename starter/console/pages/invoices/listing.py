"""All invoices: filtered, searched, sorted, page by page, with the totals of the filter, and as CSV or XLSX."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from billing.errors import InputError
from billing.text import plural
from starter.console.frame import page
from starter.console.html.listing import FilterField, Pager, Sorting
from starter.console.pages.downloads import send_csv, send_xlsx
from starter.console.pages.invoices.asking import STATES, InvoicesAsked, invoices_asked, place_text
from starter.console.services import services
from starter.sheets import Money, Row, Sheet, SheetColumn
from storage.browsing.invoices import (
    InvoiceOrder,
    InvoiceRow,
    InvoiceTotal,
    browse_invoices,
    every_invoice,
    invoice_totals,
)
from storage.postgres.database import Database

routes = web.RouteTableDef()

_PAGE = 50
_COLUMNS = (
    SheetColumn("Key"),
    SheetColumn("Account"),
    SheetColumn("Name"),
    SheetColumn("Period"),
    SheetColumn("State"),
    SheetColumn("Currency", currency=True),
    SheetColumn("Amount"),  # of dead invoices, too, so that only the net can be added up
    SheetColumn("Edited in Stripe"),
    SheetColumn("Credited"),
    SheetColumn("Net", total=True),
    SheetColumn("Stripe invoice"),
    SheetColumn("Created"),
    SheetColumn("Finalized"),
    SheetColumn("Paid"),
    SheetColumn("Blocked because"),
)


@dataclass(frozen=True)
class InvoicesView:
    """What the page shows. `problem`: why the filter cannot be read; then there are no rows."""

    fields: Sequence[FilterField]
    sorting: Sequence[Sorting]
    rows: Sequence[InvoiceRow] = ()
    totals: Sequence[InvoiceTotal] = ()
    pager: Pager | None = None
    csv: str = ""
    xlsx: str = ""
    problem: str = ""
    filtered: bool = False


@routes.get("/invoices")
async def invoices(request: web.Request) -> web.Response:
    """Show a page of the invoices that the filter lets through."""
    try:
        asked = invoices_asked(request.query)
    except InputError as error:
        view = InvoicesView(_fields(request.query), _sorting(InvoicesAsked()), problem=f"{error}.", filtered=True)
        return page(request, "pages/invoices.html", "Invoices", view, status=400)
    db = services(request).db
    rows = await browse_invoices(db, asked.wanted, asked.order, down=asked.down, after=asked.after, limit=_PAGE + 1)
    totals = await invoice_totals(db, asked.wanted)
    view = InvoicesView(
        fields=_fields(asked.given),
        sorting=_sorting(asked),
        rows=rows[:_PAGE],
        totals=totals,
        pager=_pager(asked, rows, sum(each.invoices for each in totals)),
        csv=asked.address("/invoices.csv"),
        xlsx=asked.address("/invoices.xlsx"),
        filtered=bool(asked.given),
    )
    return page(request, "pages/invoices.html", "Invoices", view)


@routes.get("/invoices.csv")
async def as_csv(request: web.Request) -> web.StreamResponse:
    """Send every invoice of the filter as CSV."""
    return await send_csv(request, _sheet(services(request).db, invoices_asked(request.query)), "invoices")


@routes.get("/invoices.xlsx")
async def as_xlsx(request: web.Request) -> web.StreamResponse:
    """Send every invoice of the filter as a spreadsheet."""
    return await send_xlsx(request, _sheet(services(request).db, invoices_asked(request.query)), "invoices")


def _sheet(db: Database, asked: InvoicesAsked) -> Sheet:
    async def rows() -> AsyncIterator[Row]:
        async for each in every_invoice(db, asked.wanted, asked.order, down=asked.down):
            yield _cells(each)

    return Sheet("Invoices", _COLUMNS, rows(), empty="No invoices.")


def _cells(each: InvoiceRow) -> Row:
    return (
        each.key,
        each.attribution_id,
        each.account_name,
        each.billing_period,
        str(each.state),
        each.currency.upper(),
        Money.of(each.amount, each.currency),
        Money.of(each.edited, each.currency),
        Money.of(each.credited, each.currency),
        Money.of(each.net, each.currency),
        each.stripe_invoice_id,
        each.claimed_at,
        each.finalized_at,
        each.paid_at,
        each.blocked_reason,
    )


def _pager(asked: InvoicesAsked, rows: Sequence[InvoiceRow], count: int) -> Pager:
    more = asked.address(after=place_text(rows[_PAGE - 1].place(asked.order))) if len(rows) > _PAGE else ""
    shown = f"{plural(count, 'invoice')}, {len(rows[:_PAGE])} on this page"
    return Pager(shown, first=asked.address() if asked.after else "", next=more)


def _sorting(asked: InvoicesAsked) -> list[Sorting]:
    headings = (
        ("Account", "", InvoiceOrder.ACCOUNT),
        ("Invoice", "", InvoiceOrder.KEY),
        ("State", "", None),
        ("Amount", "num", InvoiceOrder.AMOUNT),
        ("Credited", "num", None),
        ("Net", "num", None),
        ("Created", "", InvoiceOrder.DATE),
    )
    return [_heading(asked, *each) for each in headings]


def _heading(asked: InvoicesAsked, name: str, kind: str, order: InvoiceOrder | None) -> Sorting:
    if order is None:
        return Sorting(name, kind)
    first = "-" if order in (InvoiceOrder.AMOUNT, InvoiceOrder.DATE) else ""
    if order is not asked.order:
        return Sorting(name, kind, asked.address(sort=f"{first}{order}"))
    return Sorting(name, kind, asked.address(sort=f"{'' if asked.down else '-'}{order}"), asked.down)


def _fields(given: Mapping[str, str]) -> list[FilterField]:
    def field(name: str, label: str, hint: str) -> FilterField:
        return FilterField(name, label, given.get(name, ""), hint)

    return [
        field("text", "Search", "Account, key, Stripe id, instance"),
        field("period", "Period", "2022-05"),
        FilterField("state", "State", given.get("state", ""), choices=[(each, each) for each in STATES]),
        field("account", "Account", "team:blue"),
        field("currency", "Currency", "usd"),
        field("least", "Amount from", "100"),
        field("most", "to", "5000"),
    ]


def listing_address(**given: str) -> str:
    """Return the address of the list with this filter."""
    return f"/invoices?{urlencode(given)}"
