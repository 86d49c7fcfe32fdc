"""`/decisions`: who decided what, when, why, and from where; and the same as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from billing.errors import InputError
from billing.text import plural
from starter.console.frame import page
from starter.console.html.listing import FilterField, Pager
from starter.console.pages.downloads import send_csv
from starter.console.pages.watching.links import address, decision_page
from starter.console.services import services
from starter.sheets import Row, Sheet, SheetColumn
from storage.decisions.trail import DecisionKind, DecisionRecord, list_decisions
from storage.postgres.database import Database

routes = web.RouteTableDef()

_PAGE = 50
_CHUNK = 500
_COLUMNS = ("at", "by", "decision", "subject", "reason", "from", "address")


@dataclass(frozen=True)
class TrailFilter:
    """What the filter says; "" and None for everything. `before`: the last decision of the page before."""

    subject: str
    kind: DecisionKind | None
    by: str
    before: int | None

    @classmethod
    def of(cls, request: web.Request) -> TrailFilter:
        """Return the filter of the address.

        Raises:
            InputError: there is no such kind of decision, or the page is malformed.
        """
        kind, before = request.query.get("decision", ""), request.query.get("before", "")
        if kind and kind not in list(DecisionKind):
            raise InputError(f"there is no decision {kind[:50]!r}")
        if before and not (before.isdecimal() and len(before) < 19):
            raise InputError("the page is malformed: go to the first one")
        subject, by = (request.query.get(name, "").strip() for name in ("subject", "by"))
        return cls(subject, DecisionKind(kind) if kind else None, by, int(before) if before else None)

    def to(self, path: str, **more: str) -> str:
        """Return an address with this filter."""
        return address(path, subject=self.subject, decision=str(self.kind or ""), by=self.by, **more)


@dataclass(frozen=True)
class TrailRow:
    """A decision. `to`: the page of its subject, "" for none."""

    at: datetime
    by: str
    kind: str
    subject: str
    to: str
    reason: str
    origin: str
    address: str


@dataclass(frozen=True)
class DecisionsView:
    """A page of the trail, its filter and its CSV. `filtered`: whether the filter says anything."""

    rows: Sequence[TrailRow]
    fields: Sequence[FilterField]
    pager: Pager
    csv: str
    filtered: bool


@routes.get("/decisions")
async def decisions(request: web.Request) -> web.Response:
    """Show the trail, newest first."""
    wanted = TrailFilter.of(request)
    found = await _read(services(request).db, wanted, wanted.before, _PAGE + 1)
    rows, more = found[:_PAGE], len(found) > _PAGE
    pager = Pager(
        plural(len(rows), "decision") + (", and older ones" if more else ""),
        wanted.to("/decisions") if wanted.before else "",
        wanted.to("/decisions", before=str(rows[-1].id)) if more else "",
    )
    fields = [
        FilterField("subject", "Subject", wanted.subject, "invoice, period, account"),
        FilterField("by", "By", wanted.by),
        FilterField(
            "decision",
            "Decision",
            str(wanted.kind or ""),
            choices=[(str(k), k.replace("_", " ")) for k in DecisionKind],
        ),
    ]
    filtered = bool(wanted.subject or wanted.by or wanted.kind)
    view = DecisionsView([_row(each) for each in rows], fields, pager, wanted.to("/decisions.csv"), filtered)
    return page(request, "pages/decisions.html", "Decisions", view)


@routes.get("/decisions.csv")
async def as_csv(request: web.Request) -> web.StreamResponse:
    """Answer with all decisions of the filter, as they are read."""
    wanted, db = TrailFilter.of(request), services(request).db
    sheet = Sheet("decisions", [SheetColumn(name) for name in _COLUMNS], _cells(db, wanted))
    return await send_csv(request, sheet, "decisions")


async def _cells(db: Database, wanted: TrailFilter) -> AsyncIterator[Row]:
    before: int | None = None
    while found := await _read(db, wanted, before, _CHUNK):
        for each in found:
            decided = (each.decided_at, each.decided_by, str(each.kind), each.subject, each.reason)
            yield (*decided, str(each.origin), each.address)
        before = found[-1].id


async def _read(db: Database, wanted: TrailFilter, before: int | None, limit: int) -> list[DecisionRecord]:
    return await list_decisions(
        db, subject=wanted.subject or None, kind=wanted.kind, by=wanted.by or None, before=before, limit=limit
    )


def _row(each: DecisionRecord) -> TrailRow:
    return TrailRow(
        each.decided_at,
        each.decided_by,
        str(each.kind),
        each.subject,
        decision_page(each.kind, each.subject),
        each.reason,
        str(each.origin),
        each.address or "",
    )
