"""`/schedules`: what runs by itself, when it ran and will run, and whether it is paused. Only Temporal knows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from temporalio.client import Client
from temporalio.service import RPCError

from contracts import workflow_ids
from starter.acting.offers import Offer, schedule_offers
from starter.console.frame import page
from starter.console.services import services
from temporal.client import TemporalUnavailableError, reached
from temporal.schedules import ScheduleState, list_schedules

routes = web.RouteTableDef()

_SECONDS = 4.0
_WHAT: Mapping[str, str] = {
    workflow_ids.MONTHLY_SCHEDULE: "bills the month that has ended",
    workflow_ids.CATCH_UP_SCHEDULE: "reads Stripe's events that the webhook may have missed",
    workflow_ids.AUDIT_SCHEDULE: "compares Postgres, the usage reports and Stripe",
}


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule. `last`: when it ran last; `running`: the workflows that run of it."""

    name: str
    what: str
    state: str
    note: str
    paused_at: datetime | None
    next: datetime | None
    last: datetime | None
    running: Sequence[str]
    offers: Sequence[Offer]


@dataclass(frozen=True)
class SchedulesView:
    """The schedules that exist, and those that do not. `away`: whether Temporal does not answer."""

    rows: Sequence[ScheduleRow]
    missing: Sequence[str]
    away: bool


@routes.get("/schedules")
async def schedules(request: web.Request) -> web.Response:
    """Show the schedules."""
    try:
        async with asyncio.timeout(_SECONDS):
            with reached():
                found = await _schedules(services(request).temporal)
    except (RPCError, TimeoutError, TemporalUnavailableError):
        return page(request, "pages/schedules.html", "Schedules", SchedulesView([], [], away=True), status=503)
    known = {each.id for each in found}
    missing = [name for name in workflow_ids.SCHEDULES if name not in known]
    view = SchedulesView([_row(each) for each in found], missing, away=False)
    return page(request, "pages/schedules.html", "Schedules", view)


async def _schedules(client: Client) -> list[ScheduleState]:
    return [each async for each in list_schedules(client)]


def _row(state: ScheduleState) -> ScheduleRow:
    return ScheduleRow(
        state.id,
        _WHAT.get(state.id, ""),
        "paused" if state.paused else "active",
        state.remark,
        state.paused_at,
        None if state.paused else next(iter(state.next_runs), None),
        max((at for at, _ in state.recent_runs), default=None),
        state.running,
        schedule_offers(state.id, paused=state.paused),
    )
