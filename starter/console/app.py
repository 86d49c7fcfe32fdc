"""The console's application: its gate, its pages, its static files and its health."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

import aiohttp_jinja2
import jinja2
from aiohttp import web
from prometheus_client import CollectorRegistry

from starter.console import pages
from starter.console.auth.guard import Guard
from starter.console.auth.headers import protect
from starter.console.auth.identity import Identity
from starter.console.auth.sessions import Sessions
from starter.console.errors import in_the_frame
from starter.console.frame import SESSIONS
from starter.console.html.assets import asset, static_routes
from starter.console.html.filters import FILTERS
from starter.console.live import STREAMS, LiveStreams
from starter.console.pages.sign_in import SignIn
from starter.console.plots.bars import warm_up
from starter.console.services import SERVICES, ConsoleServices
from starter.http.connections import ConnectionLimits, Connections
from starter.http.readiness import Readiness
from starter.http.server import HttpServer, hide_server
from storage.postgres.database import DatabaseUnavailableError, DatabaseUnpreparedError

_MOST_BYTES = 64 * 1024
_BODY_SECONDS, _IDLE_SECONDS = 10.0, 75.0
_AWAY = "away: postgres"
_REQUEST_SECONDS = 600.0  # a download of a large period streams for minutes


@dataclass(frozen=True)
class ConsoleLimits:
    """Limits of connections; the default is for tests."""

    connections: ConnectionLimits = field(default_factory=lambda: ConnectionLimits(request_seconds=_REQUEST_SECONDS))


class Console:
    """The aiohttp application, around what pages share."""

    def __init__(self, services: ConsoleServices, limits: ConsoleLimits = ConsoleLimits()) -> None:
        self._services = services
        self._connections = Connections(limits.connections, CollectorRegistry(), "console")
        self._readiness = Readiness(self._reaches)
        self._lacking = _AWAY
        key = services.settings.console_session_key
        self.sessions = Sessions(key.get_secret_value().encode() if key is not None else secrets.token_bytes(32))

    def server(self) -> HttpServer:
        """Return the console as a server to run."""
        return HttpServer("console", self.application(), self._connections, _BODY_SECONDS, _IDLE_SECONDS, cancels=True)

    def application(self) -> web.Application:
        """Return the application: the pages, `/sign-in`, `/static`, `/livez`, `/readyz`."""
        settings = self._services.settings
        identity = Identity(self._services.db, settings, self.sessions)
        guard = Guard(identity, self.sessions, settings)
        app = web.Application(
            client_max_size=_MOST_BYTES,
            middlewares=[self._connections.middleware, in_the_frame, guard.middleware],
            handler_args={"auto_decompress": False},
        )
        app[SERVICES], app[SESSIONS], app[STREAMS] = self._services, self.sessions, LiveStreams()
        app.on_startup.append(_warm_up)
        app.on_shutdown.append(app[STREAMS].stop)
        app.on_cleanup.append(self._close)
        app.on_response_prepare.append(protect(secure=identity.secure))
        app.on_response_prepare.append(hide_server)
        _set_up_templates(app)
        for path in ("/livez", "/healthz"):
            app.router.add_get(path, self.livez)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_routes(static_routes())
        SignIn(identity, self.sessions).add_routes(app)
        pages.add_routes(app)
        return app

    async def livez(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer whether the database answers, and lets the console read it."""
        ready = await self._readiness.now()
        return web.Response(text="ok\n") if ready else web.Response(status=503, text=f"{self._lacking}\n")

    async def _close(self, _app: web.Application) -> None:
        await self._services.brief.close()

    async def _reaches(self) -> bool:
        try:
            await self._services.db.ping()
        except DatabaseUnpreparedError:
            self._lacking = "postgres lacks tables, or rights for this role: run `perdure db upgrade`"
            return False
        except DatabaseUnavailableError:
            self._lacking = _AWAY
            return False
        return True


async def _warm_up(_app: web.Application) -> None:
    await asyncio.to_thread(warm_up)


def _set_up_templates(app: web.Application) -> None:
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("starter.console"),
        undefined=jinja2.StrictUndefined,
        filters=dict(FILTERS),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = asset
