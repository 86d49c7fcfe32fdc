"""Who sends a request: a session's person, or the person that an authenticating proxy names."""

from __future__ import annotations

import getpass
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from aiohttp import web

from settings import Settings
from starter.console.auth.people import Person, Role
from starter.console.auth.sessions import Sessions
from storage.arrivals.tokens import TokenScope, ValidToken, find_token, hash_secret
from storage.postgres.database import Database

ROLES: Mapping[TokenScope, Role] = {TokenScope.VIEW: Role.VIEWER, TokenScope.ACT: Role.OPERATOR}
_LONGEST_NAME = 100


class Identity:
    """Finds the person of a request."""

    def __init__(self, db: Database, settings: Settings, sessions: Sessions) -> None:
        self._db = db
        self._sessions = sessions
        self._header = settings.console_proxy_header
        self._proxies = [ip_network(each) for each in settings.console_proxy_addresses]
        self._operators = frozenset(settings.console_operators)
        secret = settings.console_link_secret
        self._link = hash_secret(secret.get_secret_value()) if secret is not None else None
        self.secure = (settings.console_url or "").startswith("https://")

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. Browsers take `__Host-` from a secure page of this host alone."""
        return "__Host-perdure" if self.secure else "perdure_session"

    @property
    def by_proxy(self) -> bool:
        """Whether a proxy says who somebody is, so that tokens open nothing."""
        return self._header is not None

    @property
    def has_link(self) -> bool:
        """Whether a link signs in."""
        return self._link is not None

    async def find(self, request: web.Request) -> Person | None:
        """Return the person who sends a request. None if nobody has signed in.

        Raises:
            DatabaseUnavailableError: the session's token cannot be read.
        """
        if self._header is not None:
            return self._of_proxy(request)
        session = self._sessions.read(request.cookies.get(self.cookie, ""), datetime.now(UTC))
        return None if session is None else await self.of_proof(bytes.fromhex(session.proof), request, session.id)

    async def of_proof(self, proof: bytes, request: web.Request, binding: str = "") -> Person | None:
        """Return the person who shows a secret with this hash: a token for people, or the link's secret."""
        if (by_link := self.of_link(proof, request, binding)) is not None:
            return by_link
        token = await find_token(self._db, proof)
        if token is None or not _holds(token):
            return None
        return Person(token.name, ROLES[token.scope], self.address(request), binding)

    def of_link(self, proof: bytes, request: web.Request, binding: str = "") -> Person | None:
        """Return the person who shows the link's secret. None if it is another one, a token among them."""
        if self._link is None or not hmac.compare_digest(proof, self._link):
            return None
        return Person(getpass.getuser(), Role.OPERATOR, self.address(request), binding)

    def address(self, request: web.Request) -> str:
        """Return the browser's address: the peer's, or what a known proxy says of the one before it."""
        said = ",".join(request.headers.getall("X-Forwarded-For", []))  # a proxy can add a line of its own
        last = said.rpartition(",")[2].strip()[:_LONGEST_NAME]
        return last if last and self._is_proxy(request) else request.remote or "unknown"

    def _of_proxy(self, request: web.Request) -> Person | None:
        """Return whom the header names, if it comes from a proxy that may say so, once."""
        given = request.headers.getall(self._header or "", [])
        if len(given) != 1 or not self._is_proxy(request):
            return None
        name = given[0].strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            return None
        role = Role.OPERATOR if name in self._operators else Role.VIEWER
        return Person(name, role, self.address(request), f"proxy {name}")

    def _is_proxy(self, request: web.Request) -> bool:
        try:
            peer = ip_address(request.remote or "")
        except ValueError:
            return False
        return any(peer in each for each in self._proxies)


def _holds(token: ValidToken) -> bool:
    expired = token.expires_at is not None and token.expires_at <= datetime.now(UTC)
    return token.scope in ROLES and not expired
