"""Health of a worker over HTTP: `/livez` answers while the process works, `/readyz` says whether it takes tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from temporalio.client import Client
from temporalio.service import RPCError

from billing.errors import PerdureError
from starter.http.connections import ConnectionLimits, Connections
from starter.http.readiness import Readiness
from starter.http.server import HttpServer, hide_server, serving
from temporal.pollers import queue_state

Ping = Callable[[], Awaitable[None]]
"""Makes sure that something answers that the worker needs; raises one of our errors if it does not."""

_HOST = "0.0.0.0"  # noqa: S104 - a cluster asks from outside of the container
_CHECK_SECONDS = 4.0
_LIMITS = ConnectionLimits(most=20, head_seconds=5.0, request_seconds=10.0)
_IDLE_SECONDS = 30.0


class WorkerHealth:
    """Answers for a worker process: not ready before it serves, and while it drains."""

    def __init__(self, pings: Sequence[Ping] = ()) -> None:
        """`pings`: what has to answer besides Temporal: the database of a worker that has one."""
        self._pings = pings
        self._phase = "starting"
        self._serves: tuple[Client, Sequence[str]] | None = None
        self._why = ""
        self._readiness = Readiness(self._ask)

    @contextmanager
    def serving(self, client: Client, queues: Sequence[str]) -> Iterator[None]:
        """Within the block, the process is ready if it polls these queues; after it, it drains."""
        self._serves = (client, queues)
        try:
            yield
        finally:
            self._serves, self._phase = None, "draining"

    async def livez(self, _request: web.Request) -> web.Response:
        """Answer: the event loop runs."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer 200, or 503 with the reason in one line."""
        ready = await self._readiness.now()
        # While it drains, an answer of a moment ago is outdated.
        if self._serves is None:
            ready, self._why = False, self._phase
        return web.Response(text="ready\n" if ready else f"not ready: {self._why}\n", status=200 if ready else 503)

    async def _ask(self) -> bool:
        if self._serves is None:
            self._why = self._phase
            return False
        asked = await asyncio.gather(self._polls(*self._serves), *(_answers(ping) for ping in self._pings))
        self._why = "; ".join(filter(None, asked))
        return not self._why

    async def _polls(self, client: Client, queues: Sequence[str]) -> str | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                states = await asyncio.gather(*(queue_state(client, queue) for queue in queues))
        except TimeoutError:
            return "Temporal does not answer"
        except RPCError as error:
            return f"Temporal: {error.status.name.lower()}"
        missing = [state.queue for state in states if not state.polls_as(client.identity)]
        return f"it does not poll {', '.join(missing)}" if missing else None


async def _answers(ping: Ping) -> str | None:
    try:
        await asyncio.wait_for(ping(), _CHECK_SECONDS)
    except TimeoutError:
        return "the database does not answer"
    except PerdureError:
        return "the database cannot be used: the log of the worker says why"
    return None


@asynccontextmanager
async def serving_health(health: WorkerHealth, port: int | None) -> AsyncIterator[None]:
    """Serve `/livez` and `/readyz` within the block; nothing without a port.

    Raises:
        SettingsError: the port is in use.
    """
    if port is None:
        yield
        return
    connections = Connections(_LIMITS, CollectorRegistry(), "health")
    application = web.Application(middlewares=[connections.middleware])
    application.on_response_prepare.append(hide_server)
    application.router.add_get("/livez", health.livez)
    application.router.add_get("/readyz", health.readyz)
    server = HttpServer("health", application, connections, body_seconds=5.0, idle_seconds=_IDLE_SECONDS)
    async with serving(server, _HOST, port):
        yield
