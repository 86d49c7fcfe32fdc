"""The frame around every page: what `base.html` needs to know besides the page's own view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from starter.console.auth.people import PERSON, Person
from starter.console.auth.sessions import Sessions
from starter.console.said import COOKIE, Said, heard
from starter.console.services import SERVICES

SESSIONS = web.AppKey("sessions", Sessions)

NAVIGATION: Sequence[tuple[str, str]] = (
    ("/", "Overview"),
    ("/waiting", "Waiting"),
    ("/periods", "Periods"),
    ("/invoices", "Invoices"),
    ("/accounts", "Accounts"),
    ("/sources", "Sources"),
    ("/schedules", "Schedules"),
    ("/audit", "Audit"),
    ("/webhook", "Webhook"),
    ("/decisions", "Decisions"),
)


@dataclass(frozen=True)
class PageFrame:
    """What surrounds a page.

    `person`: None before signing in. `form_token`: what each form carries. `mode`: `live`, `test` or "" if unknown.
    `query`: what stands in the search box. `path`: of the page, with its query. `said`: what an action before it did.
    """

    title: str
    person: Person | None
    form_token: str
    mode: str
    version: str
    query: str
    path: str
    now: datetime
    said: Said | None

    @property
    def navigation(self) -> list[tuple[str, str, bool]]:
        """The address and the name of each page in the menu, and whether it is the present one."""
        own = self.path.partition("?")[0]
        return [(to, name, own == to or (to != "/" and own.startswith(f"{to}/"))) for to, name in NAVIGATION]


def page(request: web.Request, template: str, title: str, view: Any = None, *, status: int = 200) -> web.Response:
    """Return a page in its frame. The template gets `view`, `person` and `frame`.

    Args:
        request: what is answered.
        template: its name below `templates/`.
        title: the text of the page's heading and of the browser's tab.
        view: what the template shows: a dataclass of finished values, so that the template decides nothing.
        status: of the answer.
    """
    frame = _frame(request, title)
    context = {"view": view, "frame": frame, "person": frame.person}
    answer = aiohttp_jinja2.render_template(template, request, context, status=status)
    if frame.said is not None:
        answer.del_cookie(COOKIE, path="/")
    return answer


def fragment(request: web.Request, template: str, view: Any) -> str:
    """Return a part of a page as HTML, for live updates. The template gets what it gets in the page."""
    frame = _frame(request, "")
    return aiohttp_jinja2.render_string(template, request, {"view": view, "frame": frame, "person": frame.person})


def _frame(request: web.Request, title: str) -> PageFrame:
    person = request.get(PERSON)
    services = request.app[SERVICES]
    token = request.app[SESSIONS].form_token(person.binding) if person is not None else ""
    return PageFrame(
        title=title,
        person=person,
        form_token=token,
        mode=services.settings.stripe_mode or "",
        version=services.version,
        query=request.query.get("q", "")[:200],
        path=request.path_qs,
        now=datetime.now(UTC),
        said=heard(request),
    )
