"""Measure the webhook in a separate process: from a signed delivery to the signal that Temporal has accepted."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import aiohttp
import stripe

from bench.figures import Figure, at_least, at_most
from bench.processes import COARSE_SECONDS, ProcessCost, Watch
from bench.scratch import folder
from devstack import ports
from devstack.processes import Child
from devstack.servers.temporal import start_headless

PART = "webhook"
SECRET = "whsec_bench"
PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
_WORKFLOWS = 200
_PARALLEL = 16
_STEADY_A_SECOND = 100
_MOST_CONNECTIONS = 100
_LEAST_STEADY = 2000
_LEAST_A_SECOND = 400
_MOST_MS = 50


def measure(deliveries: int) -> list[Figure]:
    """Send as many deliveries as the webhook can handle, then a steady stream. No worker handles the signals."""
    return asyncio.run(_measure(deliveries))


async def _measure(deliveries: int) -> list[Figure]:
    connector = aiohttp.TCPConnector(limit=_MOST_CONNECTIONS)
    with folder() as scratch:
        async with _server(scratch) as url, aiohttp.ClientSession(connector=connector) as session:
            stripes = _Stripe(session, url)
            await stripes.flood(_WORKFLOWS)  # starts the workflows; later deliveries find them running
            watch = Watch(os.getpid(), COARSE_SECONDS)
            with watch.watching(), _no_collection():
                seconds, busy = await stripes.flood(deliveries)
            with _no_collection():
                steady = await stripes.stream(_STEADY_A_SECOND, max(_LEAST_STEADY, deliveries))
    return [*_flooded(deliveries / seconds, busy, watch.costs(), deliveries), *_streamed(steady)]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep this process, which delivers, from collecting garbage: its pauses would count as the webhook's."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _flooded(rate: float, answers: list[float], cost: dict[str, ProcessCost], deliveries: int) -> list[Figure]:
    p50, p99 = _percentiles(answers)
    note = f"{_PARALLEL} in parallel, {deliveries:,} deliveries"
    server = 1000 * cost["temporal server"].cpu_seconds / deliveries
    return [
        Figure(PART, "signed to signalled", rate, "a second", at_least(_LEAST_A_SECOND), note=note),
        Figure(PART, "answer, median, in parallel", p50, "ms", note=note),
        Figure(PART, "answer, p99, in parallel", p99, "ms", note=note),
        Figure(PART, "CPU of a delivery, webhook", 1000 * cost["webhook"].cpu_seconds / deliveries, "ms"),
        Figure(PART, "CPU of a delivery, temporal server", server, "ms"),
        Figure(PART, "peak memory, webhook", cost["webhook"].peak_mib, "MiB"),
    ]


def _streamed(steady: list[Delivery]) -> list[Figure]:
    p50, p99 = _percentiles([each.answer for each in steady])
    _, late99 = _percentiles([each.late for each in steady])
    _, due99 = _percentiles([each.late + each.answer for each in steady])
    note = f"{len(steady):,} deliveries, {_STEADY_A_SECOND} a second"
    return [
        Figure(PART, "answer, median", p50, "ms", note=note),
        Figure(PART, "answer, p99", p99, "ms", at_most(_MOST_MS), note=note),
        Figure(PART, "lateness of the driver, p99", late99, "ms", note="from due to sent"),
        Figure(PART, "answer, p99, with the driver's lateness", due99, "ms", note="from due to answered"),
    ]


@asynccontextmanager
async def _server(scratch: Path) -> AsyncIterator[str]:
    """Run `perdure webhook` with a development server that keeps its data, as in the embedded stack."""
    temporal = await start_headless(scratch / "temporal.log", scratch / "temporal.db")
    listening = ports.listen(ports.HOST)
    port: int = listening.getsockname()[1]
    url = f"http://{ports.HOST}:{port}/stripe/webhook"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "TEMPORAL_ADDRESS": temporal.address,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "WEBHOOK_PORT": str(port),
        "LOG_LEVEL": "WARNING",
    }
    log = scratch / "webhook.log"
    webhook = Child("the webhook", [*PERDURE, "webhook"], log, env=environment, listening=listening)
    try:
        webhook.start()
        async with aiohttp.ClientSession() as session:
            await webhook.wait_ready(lambda: _answers(session, url), timeout_seconds=60)
        yield url
    finally:
        await webhook.stop()
        listening.close()
        await temporal.stop()


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url.replace("/stripe/webhook", "/readyz")) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@dataclass(frozen=True)
class Delivery:
    """Seconds from the time at which a delivery was due until it was sent, and from then until it was answered."""

    late: float
    answer: float


class _Stripe:
    """Delivers signed events like Stripe."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def flood(self, deliveries: int) -> tuple[float, list[float]]:
        """Deliver all, a few at a time. Return the total seconds, and the seconds of each delivery."""
        waiting = iter(range(deliveries))
        latencies: list[float] = []

        async def sender() -> None:
            for number in waiting:
                latencies.append(await self._deliver(number))

        started = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(_PARALLEL)))
        return time.perf_counter() - started, latencies

    async def stream(self, a_second: int, deliveries: int) -> list[Delivery]:
        """Deliver at a steady rate without waiting for answers."""
        start = time.perf_counter()

        async def due(number: int) -> Delivery:
            moment = start + number / a_second
            await asyncio.sleep(moment - time.perf_counter())
            late = time.perf_counter() - moment
            return Delivery(late, await self._deliver(number))

        return await asyncio.gather(*(due(number) for number in range(deliveries)))

    async def _deliver(self, number: int) -> float:
        key = f"2022-05/team:bench-{number % _WORKFLOWS}/period"
        event = {
            "id": f"evt_{number}",
            "object": "event",
            "created": 1654041600,
            "type": "invoice.finalized",
            "livemode": False,
            "data": {"object": {"id": f"in_{number}", "object": "invoice", "metadata": {"perdure_invoice": key}}},
        }
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, SECRET)
        started = time.perf_counter()
        async with self._session.post(self._url, data=body, headers={"Stripe-Signature": header}) as response:
            if response.status != 200:
                raise RuntimeError(f"the webhook answered {response.status}: {await response.text()}")
        return time.perf_counter() - started


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds."""
    hundredths = quantiles(seconds, n=100)
    return 1000 * hundredths[49], 1000 * hundredths[98]
