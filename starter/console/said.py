"""What the console says on the page after an action, once: in a cookie of the browser that acted."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from aiohttp import web

COOKIE = "perdure_said"
_TONES = ("good", "note", "bad")
_LONGEST = 1500
_SECONDS = 60


@dataclass(frozen=True)
class Said:
    """A sentence, and how it looks."""

    text: str
    tone: str


def say(answer: web.StreamResponse, text: str, tone: str, *, secure: bool) -> None:
    """Have the next page of this browser say it."""
    answer.set_cookie(
        COOKIE,
        f"{tone}.{quote(text[:_LONGEST])}",
        max_age=_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=secure,
        path="/",
    )


def heard(request: web.Request) -> Said | None:
    """Return what is to be said on this page. None if there is nothing."""
    tone, point, text = request.cookies.get(COOKIE, "").partition(".")
    return Said(unquote(text)[:_LONGEST], tone) if point and tone in _TONES else None
