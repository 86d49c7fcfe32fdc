"""Measure the webhook in a separate process: from a signed delivery to the signal that Temporal has accepted."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

import aiohttp
import stripe

from bench.figures import Figure, at_least, at_most
from bench.processes import Watch
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
_STEADY_SECONDS = 5
_MOST_MS = 50


def measure(deliveries: int) -> list[Figure]:
    """Send as many deliveries as the webhook can handle, then a steady stream. No worker handles the signals."""
    return asyncio.run(_measure(deliveries))


async def _measure(deliveries: int) -> list[Figure]:
    connector = aiohttp.TCPConnector(limit=0)
    with folder() as scratch:
        async with _server(scratch) as url, aiohttp.ClientSession(connector=connector) as session:
            stripes = _Stripe(session, url)
            await stripes.flood(_WORKFLOWS)  # starts the workflows; later deliveries find them running
            watch = Watch(os.getpid())
            with watch.watching():
                seconds, busy = await stripes.flood(deliveries)
            steady = await stripes.stream(_STEADY_A_SECOND, _STEADY_SECONDS)
    cost = watch.costs()
    rate = deliveries / seconds
    stream = f"at {_STEADY_A_SECOND} a second"
    p50, p99 = _percentiles(steady)
    busy50, busy99 = _percentiles(busy)
    return [
        Figure(PART, "signed to signalled", rate, "a second", *at_least(300, rate), note=f"{_PARALLEL} in parallel"),
        Figure(PART, "answer, median", busy50, "ms", note=f"{_PARALLEL} in parallel"),
        Figure(PART, "answer, p99", busy99, "ms", note=f"{_PARALLEL} in parallel"),
        Figure(PART, "answer, median", p50, "ms", note=stream),
        Figure(PART, "answer, p99", p99, "ms", *at_most(_MOST_MS, p99), note=stream),
        Figure(PART, "CPU of a delivery, webhook", 1000 * cost["webhook"].cpu_seconds / deliveries, "ms"),
        Figure(
            PART, "CPU of a delivery, temporal server", 1000 * cost["temporal server"].cpu_seconds / deliveries, "ms"
        ),
        Figure(PART, "peak memory, webhook", cost["webhook"].peak_mib, "MiB"),
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

    async def stream(self, a_second: int, seconds: int) -> list[float]:
        """Deliver at a steady rate without waiting for answers. Return each delivery's seconds since it was due."""
        start = time.perf_counter()

        async def due(number: int) -> float:
            moment = start + number / a_second
            await asyncio.sleep(moment - time.perf_counter())
            await self._deliver(number)
            return time.perf_counter() - moment

        return await asyncio.gather(*(due(number) for number in range(a_second * seconds)))

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
