"""Signing in and out: a token of `perdure tokens create` is exchanged for a session, and the link of `perdure up`."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from aiohttp import web

from starter.console.auth.attempts import FailedSignIns
from starter.console.auth.forms import form_of
from starter.console.auth.guard import LINK, SIGN_IN, SIGN_OUT
from starter.console.auth.identity import Identity
from starter.console.auth.people import Role
from starter.console.auth.sessions import LIFETIME, Sessions
from starter.console.frame import page
from starter.http.rate_limited_log import SparingLog
from storage.arrivals.tokens import hash_secret

logger = logging.getLogger("perdure.console")

_REFUSED = "This token does not open the console: it is unknown, expired, revoked, or made for something else."
_TOO_MANY = "Too many sign-ins have failed. Wait a minute, then try again."


class SignIn:
    """The handlers of signing in and out."""

    def __init__(self, identity: Identity, sessions: Sessions) -> None:
        self._identity = identity
        self._sessions = sessions
        self._failed = FailedSignIns()
        self._log = SparingLog(logger)

    def add_routes(self, app: web.Application) -> None:
        """Add the handlers to the application."""
        app.router.add_get(SIGN_IN, self.ask)
        app.router.add_post(SIGN_IN, self.take)
        app.router.add_get(LINK, self.follow)
        app.router.add_post(SIGN_OUT, self.leave)

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form."""
        return self._form(request, "", 200, _own_path(request.query.get("to", "/")))

    async def take(self, request: web.Request) -> web.Response:
        """Take a token, and begin a session if it is one for people."""
        form = await form_of(request)
        secret, to = form.get("token"), form.get("to")
        return await self._begin(request, str(secret or "").strip(), _own_path(str(to or "/")))

    async def follow(self, request: web.Request) -> web.Response:
        """Begin a session by the link that `perdure up` prints. No page of another site has it followed.

        It takes the link's secret alone: a token in an address would end up in logs, and in other people's browsers.
        """
        if not self._identity.has_link:
            raise web.HTTPNotFound
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise web.HTTPForbidden(text="Another page leads here: paste the link into the address bar instead.")
        return await self._begin(request, request.query.get("secret", ""), "/", by_link=True)

    async def leave(self, _request: web.Request) -> web.Response:
        """End the session in this browser."""
        answer = web.HTTPSeeOther(SIGN_IN)
        answer.del_cookie(self._identity.cookie, path="/", secure=self._identity.secure)
        raise answer

    async def _begin(self, request: web.Request, secret: str, to: str, *, by_link: bool = False) -> web.Response:
        address = self._identity.address(request)
        if self._identity.by_proxy:
            return self._form(request, "", 403, to)
        if self._failed.too_many(address):
            self._log.warning("refused: a sign-in from %s: too many have failed", address)
            return self._form(request, _TOO_MANY, 429, to)
        proof = hash_secret(secret)
        own = self._identity
        person = own.of_link(proof, request) if by_link else await own.of_proof(proof, request)
        if person is None:
            self._failed.add(address)
            self._log.warning("refused: a sign-in from %s: no such token", address)
            return self._form(request, _REFUSED, 403, to)
        logger.info("signed in: %s as %s from %s", person.name, Role(person.role), address)
        answer = web.HTTPSeeOther(to)
        answer.set_cookie(
            self._identity.cookie,
            self._sessions.start(proof, datetime.now(UTC)),
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="Lax",  # a link in a mail or a ticket opens its page; forms prove themselves otherwise
            secure=self._identity.secure,
            path="/",
        )
        raise answer

    def _form(self, request: web.Request, problem: str, status: int, to: str) -> web.Response:
        view = {"problem": problem, "to": to, "by_proxy": self._identity.by_proxy}
        return page(request, "sign-in.html", "Sign in", view, status=status)


def _own_path(to: str) -> str:
    """Return where to go after signing in: only to a page of the console."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"
