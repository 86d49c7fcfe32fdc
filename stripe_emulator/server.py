"""The emulator: its parts composed and served."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from stripe_emulator.admin.routes import Admin
from stripe_emulator.config import EmulatorConfig
from stripe_emulator.engine.clock import Clock
from stripe_emulator.engine.context import Context, EmulatedAccount
from stripe_emulator.engine.deliveries import Deliveries
from stripe_emulator.engine.events import EventLog
from stripe_emulator.engine.faults import Faults, WebhookFaults
from stripe_emulator.engine.search import SearchIndex
from stripe_emulator.engine.store import Store
from stripe_emulator.engine.timers import Timers
from stripe_emulator.http.idempotency import Idempotency
from stripe_emulator.http.pipeline import Pipeline
from stripe_emulator.http.rate_limits import RateLimiter
from stripe_emulator.http.request_log import RequestLog

log = logging.getLogger(__name__)
_LARGEST_BODY = 16 * 2**20


class StripeEmulator:
    """A local Stripe: `async with StripeEmulator(config).serve() as url:`.

    Raises:
        StoreBusyError: another process has the data file.
    """

    def __init__(self, config: EmulatorConfig | None = None) -> None:
        self.config = config or EmulatorConfig()
        self.store = Store(self.config.data)
        self.clock = Clock()
        if (state := self.store.meta("clock")) is not None:
            self.clock.restore(state)
        if self.store.meta("account") is None:
            self.store.set_meta("account", f"acct_1{secrets.token_hex(7)}")
        self.account = EmulatedAccount(self.store.meta("account"))
        self.behaviour = self.config.behaviour()
        self.requests = RequestLog(self.config.request_log)
        self.faults, self.webhook_faults = Faults(), WebhookFaults()
        self.deliveries = Deliveries(self.store, self.config)
        self.events = EventLog(self.store, self.webhook_faults, self.deliveries.wake)
        self.search = SearchIndex(self.store, self.config.search_lag)
        self.idempotency = Idempotency(self.store, self.config.idempotency_ttl)
        self.limiter = RateLimiter(self.config.rate_limits)
        self.timers = Timers(self.store, self.clock, self.behaviour, self._context)
        self._pipeline = self._make_pipeline()
        self._admin = self._make_admin()

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(
            self.config,
            self.store,
            self.clock,
            self.account,
            self.events,
            self.search,
            self.idempotency,
            self.limiter,
            self.faults,
            self.requests,
            self.behaviour,
        )

    def _make_admin(self) -> Admin:
        return Admin(
            self.store,
            self.clock,
            self.timers,
            self.deliveries,
            self.faults,
            self.webhook_faults,
            self.idempotency,
            self.limiter,
            self.requests,
            self.search,
            self.behaviour,
            self._context,
        )

    def _context(self, now: int | None = None) -> Context:
        instant = self.clock.now() if now is None else now
        return Context(self.store, self.events, self.search, self.account, self.behaviour, instant)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/_emulator"):
            return await self._admin.handle(request)
        return await self._pipeline.handle(request)

    async def _prune(self) -> None:
        while True:
            self.idempotency.expire(self.clock.now())
            await asyncio.sleep(60)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Yield the base URL, and serve until the block is left."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        tasks: list[asyncio.Task[None]] = []
        try:
            listening = socket.create_server((self.config.host, self.config.port), backlog=512)
            await web.SockSite(runner, listening).start()
            port = listening.getsockname()[1]
            for work in (self.deliveries.run, self.timers.run, self._prune):
                tasks.append(asyncio.create_task(work(), name=work.__qualname__))
                tasks[-1].add_done_callback(_complain)
            yield f"http://{self.config.host}:{port}"
        finally:
            await runner.cleanup()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.requests.close()
            self.store.close()


def _complain(task: asyncio.Task[None]) -> None:
    """Log a background task that ends by itself: it must end only when it is canceled."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("%s died; restart the emulator", task.get_name(), exc_info=error)
