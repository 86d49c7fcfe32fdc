"""The static files: each address names the content, so that browsers keep a file until it changes."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from importlib.resources import files

from aiohttp import web


@cache
def _content(name: str) -> bytes:
    return files("starter.console").joinpath("static", name).read_bytes()


@cache
def asset(name: str) -> str:
    """Return the address of a static file."""
    return f"/static/{name}?v={hashlib.sha256(_content(name)).hexdigest()[:12]}"


def static_routes() -> list[web.AbstractRouteDef]:
    """Return a route for each static file.

    They are answered from memory: aiohttp's own route leaves a file open if the browser goes away while it opens it.
    """
    return [_route(each.name) for each in files("starter.console").joinpath("static").iterdir()]


def _route(name: str) -> web.RouteDef:
    async def answer(_request: web.Request) -> web.Response:
        kind = mimetypes.guess_type(name)[0]
        return web.Response(body=_content(name), content_type=kind or "application/octet-stream")

    return web.get(f"/static/{name}", answer)
