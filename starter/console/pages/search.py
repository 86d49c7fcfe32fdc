"""The search of the header: what a text names or begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from billing.invoice.key import CreditNoteKey
from starter.console.frame import page
from starter.console.services import services
from storage.lookup.finding import Found, FoundKind, find

routes = web.RouteTableDef()

_MOST = 50
_LONGEST = 200


@dataclass(frozen=True)
class SearchView:
    """What was found; `complete`: all of it."""

    text: str
    found: Sequence[Found]
    complete: bool


@routes.get("/search")
async def search(request: web.Request) -> web.Response:
    """Show what the text finds; what it names exactly is opened at once."""
    text = request.query.get("q", "").strip()[:_LONGEST]
    found = await find(services(request).db, text, _MOST)
    exact = [each for each in found if text in (each.key, each.matched)]
    if len(exact) == 1 or len(found) == 1:
        raise web.HTTPFound(address((exact or found)[0]))
    return page(request, "pages/search.html", "Search", SearchView(text, found, len(found) < _MOST))


def address(found: Found) -> str:
    """Return the address of the page about what was found."""
    match found.kind:
        case FoundKind.ACCOUNT:
            return f"/accounts/{quote(found.key, safe=':')}"
        case FoundKind.INSTANCE:
            return f"/instances/{quote(found.key, safe=':')}"
        case FoundKind.CREDIT_NOTE:
            return f"/invoices/{quote(str(CreditNoteKey.parse(found.key).invoice), safe='/:')}#credits"
        case _:
            return f"/invoices/{quote(found.key, safe='/:')}"
