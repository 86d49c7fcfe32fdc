"""The first page: how things are, at a glance."""

from __future__ import annotations

from aiohttp import web

from starter.console.frame import page

routes = web.RouteTableDef()


@routes.get("/")
async def overview(request: web.Request) -> web.Response:
    """Show the present period, the last one, and what waits."""
    return page(request, "pages/overview.html", "Overview")
