"""The gate that every request passes: who sends it, and for a POST, that our own page sent it and may.

A page needs a person. A POST needs, in addition, the browser's word that it comes from our pages (`Sec-Fetch-Site`, or
`Origin`), the token that the person's forms carry, and an operator. What is refused is logged in one line.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from aiohttp import web

from settings import Settings
from starter.console.auth.forms import form_of
from starter.console.auth.identity import Identity
from starter.console.auth.people import PERSON
from starter.console.auth.sessions import Sessions
from starter.http.rate_limited_log import SparingLog

logger = logging.getLogger("perdure.console")

SIGN_IN, SIGN_OUT, LINK = "/sign-in", "/sign-out", "/link"
FORM_TOKEN = "form_token"  # noqa: S105
"""The field of each form that proves that our page made it."""
_OF_ANYBODY = frozenset((SIGN_IN, LINK, "/healthz", "/livez", "/readyz"))
_OF_VIEWERS = frozenset((SIGN_OUT,))
_READING = frozenset(("GET", "HEAD"))
_LONGEST_PATH = 200  # in the log
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """The gate, as a middleware."""

    def __init__(self, identity: Identity, sessions: Sessions, settings: Settings) -> None:
        self._identity = identity
        self._sessions = sessions
        self._own = settings.console_url
        self._log = SparingLog(logger)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass a request on, or refuse it."""
        if "\0" in request.path or any("\0" in f"{name}{value}" for name, value in request.query.items()):
            raise web.HTTPBadRequest(text="This address cannot be read.")  # Postgres takes a NUL nowhere
        if request.method not in _READING and not self._is_ours(request):
            raise self._refused(request, "it comes from another site, or the browser does not say from where")
        if request.path in _OF_ANYBODY or request.path.startswith("/static/"):
            return await handler(request)
        person = await self._identity.find(request)
        if person is None:
            if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
                raise web.HTTPSeeOther(f"{SIGN_IN}?to={quote(request.path_qs, safe='')}")
            self._log.info("refused: %s %s from %s: nobody is signed in", *self._what(request))
            raise web.HTTPUnauthorized(text="Sign in first.")
        request[PERSON] = person
        if request.method not in _READING:
            given = (await form_of(request)).get(FORM_TOKEN, "")
            if not isinstance(given, str) or not self._sessions.is_form_token(given, person.binding):
                raise self._refused(request, "the form is not of this session")
            if not person.may_act and request.path not in _OF_VIEWERS:
                raise self._refused(request, f"{person.name} is a viewer, and this needs an operator")
        return await handler(request)

    def _is_ours(self, request: web.Request) -> bool:
        """Whether the browser says that our own page sends the request. Browsers that say nothing are refused."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None and site != "same-origin":
            return False
        origin = request.headers.get("Origin")
        if origin is None:
            return site is not None
        return origin == self._own if self._own else urlsplit(origin).netloc == request.host

    def _refused(self, request: web.Request, why: str) -> web.HTTPForbidden:
        self._log.warning("refused: %s %s from %s: %s", *self._what(request), why)
        return web.HTTPForbidden(text=f"This was refused: {why}.")

    def _what(self, request: web.Request) -> tuple[str, str, str]:
        return request.method, request.rel_url.raw_path[:_LONGEST_PATH], self._identity.address(request)
