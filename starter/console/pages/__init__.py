"""The pages, a file for each: what it reads, and the view that its template shows.

A page is a module with `routes`, listed in `PAGES`. docs/architecture.md shows how to add one.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from starter.console.acting import routes as acting
from starter.console.pages import overview, search, waiting
from starter.console.pages.accounts import account
from starter.console.pages.accounts import listing as accounts
from starter.console.pages.instances import instance
from starter.console.pages.invoices import documents, invoice
from starter.console.pages.invoices import listing as invoices
from starter.console.pages.periods import excluded, period
from starter.console.pages.periods import listing as periods
from starter.console.pages.watching import audit, decisions, schedules, sources, webhook

PAGES: Sequence[web.RouteTableDef] = (
    overview.routes,
    acting.routes,
    waiting.routes,
    periods.routes,
    period.routes,
    excluded.routes,
    search.routes,
    invoices.routes,
    invoice.routes,
    documents.routes,
    accounts.routes,
    account.routes,
    instance.routes,
    *(each.routes for each in (sources, schedules, audit, webhook, decisions)),
)


def add_routes(app: web.Application) -> None:
    """Add all pages to the application."""
    for routes in PAGES:
        app.router.add_routes(routes)
