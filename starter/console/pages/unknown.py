"""The page about what does not exist: what is near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from starter.console.frame import page
from starter.console.services import services
from storage.lookup.finding import Found, find

_NEAR = 8
_SHOWN = 200


@dataclass(frozen=True)
class UnknownView:
    """What was asked for, and what has a similar name. `kind`: invoice, account or instance."""

    kind: str
    text: str
    near: Sequence[Found]


async def unknown(request: web.Request, kind: str, text: str) -> web.Response:
    """Answer that there is no such thing, with the nearest: what begins with the text or with a part of it."""
    db = services(request).db
    near: list[Found] = []
    for part in dict.fromkeys((text, text.rpartition("/")[0], *text.split("/")[1:2], text[: len(text) // 2])):
        if len(part) > 1 and not near:
            near = await find(db, part[:_SHOWN], _NEAR)
    view = UnknownView(kind, text[:_SHOWN], near)
    return page(request, "pages/unknown.html", f"There is no such {kind}", view, status=404)
