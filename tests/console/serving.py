"""A running console, and the browsers of people who use it."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, CookieJar
from yarl import URL

from devstack import ports
from settings import Settings
from starter.cli.status.stored import waiting_terms
from starter.console.app import Console
from starter.console.services import ConsoleServices
from starter.http.server import serving
from storage.arrivals.tokens import TokenScope, add_token, make_secret
from storage.postgres.database import Database
from temporal.client import connect

ASKED = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Seen:
    """An answer: its status, headers and text."""

    status: int
    headers: Any
    text: str

    @property
    def form_token(self) -> str:
        """What the page's forms carry."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.text)
        return found[1] if found else ""


@dataclass
class Browser:
    """Somebody's browser, with its cookies."""

    url: str
    session: ClientSession
    headers: dict[str, str] = field(default_factory=lambda: dict(ASKED))

    async def get(self, path: str, **headers: str) -> Seen:
        """Open a page; a redirection is not followed."""
        return await self._ask("GET", path, headers)

    async def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Seen:
        """Send a form as it is."""
        return await self._ask("POST", path, headers, data=dict(form or {}))

    async def send(self, path: str, **form: str) -> Seen:
        """Send a form of one of our pages."""
        return await self.post(path, {"form_token": (await self.get("/")).form_token, **form})

    async def sign_in(self, secret: str) -> Seen:
        """Exchange a token for a session."""
        return await self.post("/sign-in", {"token": secret})

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], **given: Any) -> Seen:
        sent = {name: value for name, value in {**self.headers, **headers}.items() if value}
        async with self.session.request(
            method, f"{self.url}{path}", headers=sent, allow_redirects=False, **given
        ) as answer:
            return Seen(answer.status, answer.headers, await answer.text())


@dataclass
class RunningConsole:
    """A console that serves. `db`: as its owner sees the database."""

    url: str
    db: Database

    @property
    def origin(self) -> URL:
        """Its address, as cookies know it."""
        return URL(self.url)

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[Browser]:
        """Yield a browser without cookies."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            yield Browser(self.url, session, {**ASKED, **headers})

    @asynccontextmanager
    async def signed_in(self, scope: TokenScope = TokenScope.ACT, name: str = "jane") -> AsyncIterator[Browser]:
        """Yield a browser in which somebody has signed in, by a new token."""
        secret = await self.token(scope, name)
        async with self.browser() as browser:
            assert (await browser.sign_in(secret)).status == 303
            yield browser

    async def token(self, scope: TokenScope, name: str) -> str:
        """Make a token and return it."""
        secret = make_secret()
        assert await add_token(self.db, name, secret, scope, by="tests", expires_at=None)
        return secret


@asynccontextmanager
async def running_console(owner: Database, db: Database, **given: Any) -> AsyncIterator[RunningConsole]:
    """Yield a console that reads by `db`, with these settings."""
    settings = Settings(**given)
    terms = functools.partial(waiting_terms, settings)
    services = ConsoleServices(db, settings, terms, await connect(lazy=True), "0.0.0")
    async with serving(Console(services).server(), ports.HOST, 0) as port:
        yield RunningConsole(f"http://{ports.HOST}:{port}", owner)
