"""`/sources`: how far each source is read, what fails, and what of it was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from starter.acting.offers import act
from starter.console.frame import page
from starter.console.services import services
from storage.arrivals.faults import WaitingFault, waiting_faults
from storage.arrivals.sources import SourceState, UnknownSourceError, list_sources, load_source

routes = web.RouteTableDef()

_MOST_FAULTS = 200


@dataclass(frozen=True)
class SourceRow:
    """A source: its state in a word, and how far it is read. `error`: why it fails."""

    name: str
    kind: str
    status: str
    complete_up_to: datetime | None
    read_at: datetime | None
    rows: int
    new: int
    refused: int
    waiting: int
    error: str
    failing_since: datetime | None
    read_now: str


@dataclass(frozen=True)
class SourcesView:
    """All sources."""

    rows: Sequence[SourceRow]


@dataclass(frozen=True)
class SourceView:
    """A source, and rows of it that were refused, the newest first."""

    row: SourceRow
    faults: Sequence[WaitingFault]


@routes.get("/sources")
async def sources(request: web.Request) -> web.Response:
    """Show all sources."""
    found = await list_sources(services(request).db)
    return page(request, "pages/sources.html", "Sources", SourcesView([_row(each) for each in found]))


@routes.get("/sources/{name:.+}")
async def source(request: web.Request) -> web.Response:
    """Show a source, and what of it was refused."""
    db, name = services(request).db, request.match_info["name"]
    try:
        row = _row(await load_source(db, name))
    except UnknownSourceError:
        raise web.HTTPNotFound(text=f"There is no source {name[:100]!r}.") from None
    faults = [each async for each in waiting_faults(db, name, _MOST_FAULTS)]
    return page(request, "pages/source.html", f"Source {name}", SourceView(row, faults))


def _row(state: SourceState) -> SourceRow:
    return SourceRow(
        state.name,
        state.kind,
        state.status(datetime.now(UTC)),
        state.complete_up_to,
        state.read_at,
        state.rows_read,
        state.rows_new,
        state.rows_refused,
        state.faults,
        state.error or "",
        state.failing_since,
        "" if state.removed_at else act("sync", state.name),
    )
