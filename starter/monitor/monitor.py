"""Serves the gauges. What was read is kept for some seconds, so that many scrapes cost no more than one.

The parts (Postgres and Temporal) are read at the same time, each within a limited time. A part that cannot be read has
no values rather than old ones, and `perdure_metrics_up` is 0 for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from temporalio.service import RPCError

from billing.errors import PerdureError
from starter.http.server import hide_server
from starter.monitor import gauges
from starter.monitor.gauges import GAUGES, LabelValues, Samples, at

logger = logging.getLogger("perdure.metrics")

FRESH_SECONDS = 10.0
"""How long figures are kept; shorter than the usual interval between two scrapes."""
MOST_SECONDS = 8.0
"""The time limit of a part: shorter than the 10 s that Prometheus waits for an answer."""

Read = Callable[[], Awaitable[Samples]]


class CachedPart:
    """What is read from one server."""

    def __init__(self, name: str, read: Read) -> None:
        self.name = name
        self.samples: Samples = {}
        self.read_at: datetime | None = None
        self.up = False
        self._read = read
        self._asked = float("-inf")
        self._lock = asyncio.Lock()
        self._trouble: str | None = None

    async def refresh(self) -> None:
        """Read it, unless that was done or tried some seconds ago."""
        async with self._lock:
            if time.monotonic() - self._asked < FRESH_SECONDS:
                return
            trouble = await self._try()
            self._asked = time.monotonic()
            self.up = trouble is None
        if trouble is not None and self._trouble is None:
            logger.warning("no metrics from %s: %s", self.name, trouble)
        elif trouble is None and self._trouble is not None:
            logger.info("metrics from %s again", self.name)
        self._trouble = trouble

    async def _try(self) -> str | None:
        """Read it. Returns why that failed, or None."""
        self.samples = {}
        try:
            async with asyncio.timeout(MOST_SECONDS):
                self.samples = await self._read()
        except TimeoutError:
            return f"no answer within {MOST_SECONDS:g} s"
        except (PerdureError, RPCError, RuntimeError) as error:  # RuntimeError: a lazy client cannot connect
            return next(iter(str(error).splitlines()), type(error).__name__)
        self.read_at = datetime.now(UTC)
        return None


class Monitor(Collector):
    """The handlers of the aiohttp application, around the parts."""

    def __init__(self, parts: Mapping[str, Read]) -> None:
        self._parts = [CachedPart(name, read) for name, read in parts.items()]
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def application(self) -> web.Application:
        """Return the application: `/metrics`, `/healthz`, `/readyz`."""
        app = web.Application()
        app.on_response_prepare.append(hide_server)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        return app

    def collect(self) -> Iterable[Metric]:
        """Yield every gauge with the values read last."""
        found: dict[gauges.Gauge, list[tuple[LabelValues, float]]] = {gauge: [] for gauge in GAUGES}
        for part in self._parts:
            found[gauges.UP].append(((part.name,), float(part.up)))
            if part.read_at is not None:
                found[gauges.READ].append(((part.name,), at(part.read_at)))
            for gauge, samples in part.samples.items():
                found[gauge].extend(samples)
        for gauge, values in found.items():
            yield gauge.family(values)

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer whether every part can be read."""
        await self._refresh()
        away = [part.name for part in self._parts if not part.up]
        return web.Response(status=503, text=f"away: {', '.join(away)}\n") if away else web.Response(text="ok\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with Prometheus metrics."""
        return web.Response(body=await self.page(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def page(self) -> bytes:
        """Return the metrics in the format of Prometheus, read some seconds ago at most."""
        await self._refresh()
        return generate_latest(self._registry)

    async def _refresh(self) -> None:
        await asyncio.gather(*(part.refresh() for part in self._parts))
