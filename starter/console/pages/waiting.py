"""Everything that waits, for a person or by itself: what, since when, why, and what resolves it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from starter.acting.offers import Offer, waiting_offer
from starter.console.frame import page
from starter.console.services import services
from storage.lookup.naming import names_of
from storage.postgres.database import Database
from storage.waiting.kinds import RESOLUTIONS
from storage.waiting.waiting import WaitingThing, WaitingTotal, read_waiting, read_waiting_totals

routes = web.RouteTableDef()

_MOST_OF_A_KIND = 50
_CODE = re.compile(r"[A-Z][A-Za-z]+Error: ")
"""The name of an error in the code, which says nothing to people."""


@dataclass(frozen=True)
class WaitingLine:
    """A thing that waits. `to`: its page, "" if it has none. `offer`: what resolves it here; else `command` does.

    `name`: of its account, "" if it has none.
    """

    what: str
    name: str
    subject: str
    to: str
    since: datetime
    reason: str
    amounts: Mapping[str, int]
    duration_us: int | None
    things: int
    offer: Offer | None
    command: str


@dataclass(frozen=True)
class WaitingView:
    """What the page shows. `more`: kinds of which not all are shown, with their number."""

    persons: Sequence[WaitingLine]
    others: Sequence[WaitingLine]
    more: Sequence[tuple[str, int]]


@routes.get("/waiting")
async def waiting(request: web.Request) -> web.Response:
    """Show what waits, the oldest first."""
    own = services(request)
    terms = own.terms(datetime.now(UTC))
    things = await read_waiting(own.db, terms, most=_MOST_OF_A_KIND)
    view = WaitingView(
        await waiting_lines(own.db, [each for each in things if each.person]),
        await waiting_lines(own.db, [each for each in things if not each.person]),
        _more(await read_waiting_totals(own.db, terms)),
    )
    return page(request, "pages/waiting.html", "Waiting", view)


async def waiting_lines(db: Database, things: Sequence[WaitingThing]) -> list[WaitingLine]:
    """Return the things as lines, in their order."""
    names = await names_of(db, {each.attribution_id for each in things if each.attribution_id})
    return [
        WaitingLine(
            what=RESOLUTIONS[each.kind].words[0].rstrip(":"),
            name=names.get(each.attribution_id or "", ""),
            subject=each.subject,
            to=_page_of(each),
            since=each.since,
            reason=_CODE.sub("", each.reason, count=1),
            amounts=each.amounts,
            duration_us=each.duration_us,
            things=each.things,
            offer=waiting_offer(each),
            command=each.command,
        )
        for each in things
    ]


def _page_of(thing: WaitingThing) -> str:
    if thing.invoice_key:
        return f"/invoices/{thing.invoice_key}"
    if thing.attribution_id:
        return f"/accounts/{thing.attribution_id}"
    return f"/periods/{thing.billing_period}" if thing.billing_period else ""


def _more(counted: Sequence[WaitingTotal]) -> list[tuple[str, int]]:
    return [(RESOLUTIONS[each.kind].words[1], each.things) for each in counted if each.things > _MOST_OF_A_KIND]
