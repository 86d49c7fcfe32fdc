"""Measure the API in a separate process, while another one folds what it accepts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import asyncpg  # type: ignore[import-untyped]

from bench.figures import Figure, at_least, at_most
from bench.processes import Watch
from bench.scratch import folder
from devstack import ports
from devstack.processes import Child
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from starter.api.content import BATCHED
from starter.api.handler import EVENTS
from storage.arrivals.tokens import TokenScope, add_token, make_secret
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade

PART = "api"
PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
_PARALLEL = 4
_LEAST_A_SECOND = 5000
_MOST_CPU_MS = 400  # two cores, 5,000 events a second
_STEADY_A_SECOND, _STEADY_SECONDS, _STEADY_MOST_MS = 500, 10, 100
_START = datetime(2022, 5, 1, tzinfo=UTC)
_KINDS = ("started", "alive", "changed", "alive", "stopped")
"""The events of an instance."""


def measure(events: int) -> list[Figure]:
    """Send `events` in batches of 100, as many in batches of 1,000, then a steady stream of single ones."""
    return asyncio.run(_measure(events))


async def _measure(events: int) -> list[Figure]:
    with folder() as scratch:
        async with _servers(scratch) as product:
            figures = []
            for size in (100, 1000):
                figures += await _flood(product, events, size)
            return figures + await _steady(product)


async def _flood(product: _Product, events: int, size: int) -> list[Figure]:
    watch = Watch(os.getpid())
    started = time.perf_counter()
    with watch.watching():
        await product.flood(events, size)
        accepted = time.perf_counter()
        await product.folded()
    seconds = time.perf_counter() - started
    cpu, parts = _cpu(watch, events)
    note, rate = f"batches of {size:,}", events / seconds
    return [
        Figure(PART, "events, sent to folded", rate, "a second", *at_least(_LEAST_A_SECOND, rate), note=note),
        Figure(PART, "events, sent to accepted", events / (accepted - started), "a second", note=note),
        Figure(PART, "CPU of 1,000 events", cpu, "ms", *at_most(_MOST_CPU_MS, cpu), note=f"{note}: {parts}"),
        Figure(PART, "peak memory, api", watch.costs()["api"].peak_mib, "MiB", note=note),
    ]


def _cpu(watch: Watch, events: int) -> tuple[float, str]:
    """Return the milliseconds that 1,000 events cost all processes but the sender, and those of each in words."""
    spent = {
        name: 1_000_000 * cost.cpu_seconds / events
        for name, cost in watch.costs().items()
        if name in ("api", "fold", "postgres")
    }
    return sum(spent.values()), ", ".join(f"{name} {ms:.0f}" for name, ms in spent.items())


async def _steady(product: _Product) -> list[Figure]:
    watch = Watch(os.getpid())
    with watch.watching():
        hundredths = quantiles(await product.stream(_STEADY_A_SECOND, _STEADY_SECONDS), n=100)
        await product.folded()
    p50, p99 = 1000 * hundredths[49], 1000 * hundredths[98]
    cpu, parts = _cpu(watch, _STEADY_A_SECOND * _STEADY_SECONDS)
    note = f"{_STEADY_A_SECOND} single events a second"
    return [
        Figure(PART, "answer, median", p50, "ms", note=note),
        Figure(PART, "answer, p99", p99, "ms", *at_most(_STEADY_MOST_MS, p99), note=note),
        Figure(PART, "CPU of 1,000 events", cpu, "ms", note=f"{note}: {parts}"),
    ]


@asynccontextmanager
async def _servers(scratch: Path) -> AsyncIterator[_Product]:
    """Run PostgreSQL, `perdure api` and a process that folds."""
    place = data_folder(scratch / "postgres", "bench", drop_user())
    postgres = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
    listening = ports.listen(ports.HOST)
    url = f"http://{ports.HOST}:{listening.getsockname()[1]}"
    database = postgres.url(DATABASE)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "DATABASE_URL": database,
        "LOG_LEVEL": "WARNING",
    }
    api = Child("the API", [*PERDURE, "api"], scratch / "api.log", env=environment, listening=listening)
    fold = Child("the fold", [sys.executable, "-P", "-m", "bench.arrivals.fold", database], scratch / "fold.log")
    try:
        await upgrade(database)
        token = await _token(database)
        api.start()
        fold.start()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            await api.wait_ready(lambda: _answers(session, url), timeout_seconds=60)
            connection = await asyncpg.connect(database)
            yield _Product(session, url + EVENTS, connection)
            await connection.close()
    finally:
        await fold.stop()
        await api.stop()
        listening.close()
        await postgres.stop()


async def _token(database: str) -> str:
    secret, db = make_secret(), Database(database)
    try:
        await add_token(db, "bench", secret, TokenScope.INGEST, by="bench", expires_at=None)
    finally:
        await db.close()
    return secret


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@dataclass
class _Product:
    """Sends events of instances, each of which starts, lives, changes and stops."""

    session: aiohttp.ClientSession
    url: str
    connection: Any
    sent: int = 0

    async def flood(self, events: int, size: int) -> None:
        """Send the events in batches, a few at a time."""
        batches = iter([[self._event() for _ in range(size)] for _ in range(events // size)])

        async def sender() -> None:
            for batch in batches:
                await self._send(batch)

        await asyncio.gather(*(sender() for _ in range(_PARALLEL)))

    async def stream(self, a_second: int, seconds: int) -> list[float]:
        """Send single events at a steady rate. Return each answer's seconds since the event was due."""
        start = time.perf_counter()

        async def due(number: int) -> float:
            moment = start + number / a_second
            await asyncio.sleep(moment - time.perf_counter())
            await self._send([self._event()])
            return time.perf_counter() - moment

        return await asyncio.gather(*(due(number) for number in range(a_second * seconds)))

    async def folded(self) -> None:
        """Wait until nothing is pending."""
        while await self.connection.fetchval("SELECT EXISTS (SELECT FROM pending_fact)"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def _send(self, events: list[dict[str, Any]]) -> None:
        async with self.session.post(self.url, json=events, headers={"Content-Type": BATCHED}) as response:
            answered = await response.json(content_type=None)
            if response.status != 202 or answered["accepted"] != len(events):
                raise RuntimeError(f"the API answered {response.status}: {answered}")

    def _event(self) -> dict[str, Any]:
        self.sent += 1
        # A thousand instances take turns, so that the events of one do not follow each other in a batch.
        turn, slot = divmod(self.sent, 1000)
        instance, step = turn // len(_KINDS) * 1000 + slot, turn % len(_KINDS)
        data = {"started": {"account": f"team:{instance % 100}", "class": "xl"}, "changed": {"quantity": 2}}
        kind = _KINDS[step]
        return {
            "specversion": "1.0",
            "id": str(self.sent),
            "source": "bench",
            "type": f"instance.{kind}",
            "subject": f"i-{instance}",
            "time": (_START + timedelta(seconds=slot, hours=step)).isoformat(),
            **({"data": data[kind]} if kind in data else {}),
        }
