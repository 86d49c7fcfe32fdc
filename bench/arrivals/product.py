"""`perdure api` and a sources' worker that run for the benchmark, and a sender of events."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg  # type: ignore[import-untyped]

from devstack import ports
from devstack.processes import Child
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.temporal import start_headless
from devstack.servers.unprivileged import data_folder, drop_user
from starter.api.content import BATCHED
from starter.api.handler import EVENTS
from storage.arrivals.tokens import TokenScope, add_token, make_secret
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade

_PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
_PARALLEL = 4
_START = datetime(2022, 5, 1, tzinfo=UTC)
_KINDS = ("started", "alive", "changed", "alive", "stopped")
"""The events of an instance."""


@asynccontextmanager
async def running_product(scratch: Path) -> AsyncIterator[MeasuredProduct]:
    """Run PostgreSQL, Temporal, `perdure api` and the sources' worker, which folds."""
    place = data_folder(scratch / "postgres", "bench", drop_user())
    postgres = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
    listening = ports.listen(ports.HOST)
    url = f"http://{ports.HOST}:{listening.getsockname()[1]}"
    database = postgres.url(DATABASE)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "DATABASE_URL": database,
        "LOG_LEVEL": "WARNING",
        "SOURCES": str(scratch / "sources.toml"),
    }
    temporal = await start_headless(scratch / "temporal.log")
    environment["TEMPORAL_ADDRESS"] = temporal.address
    api = Child("the API", [*_PERDURE, "api"], scratch / "api.log", env=environment, listening=listening)
    worker = Child("the worker", [*_PERDURE, "worker", "--queue", "sources"], scratch / "worker.log", env=environment)
    try:
        await upgrade(database)
        token = await _token(database)
        api.start()
        worker.start()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            await api.wait_ready(lambda: _answers(session, url), timeout_seconds=60)
            connection = await asyncpg.connect(database)
            yield MeasuredProduct(session, url + EVENTS, connection, database)
            await connection.close()
    finally:
        await worker.stop()
        await api.stop()
        listening.close()
        temporal.child.kill()
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
class MeasuredProduct:
    """Sends events of instances, each of which starts, lives, changes and stops."""

    session: aiohttp.ClientSession
    url: str
    connection: Any
    database: str
    sent: int = 0

    async def flood(self, events: int, size: int) -> None:
        """Send the events in batches, a few at a time."""
        batches = iter([[self._event() for _ in range(size)] for _ in range(events // size)])

        async def sender() -> None:
            for batch in batches:
                await self.send(batch)

        await asyncio.gather(*(sender() for _ in range(_PARALLEL)))

    async def stream(self, a_second: int, going: Callable[[float], bool]) -> list[float]:
        """Send single events at a steady rate while `going`, which is given the seconds since the first one.

        Return each answer's seconds since its event was due.
        """
        start = time.perf_counter()
        answers: list[asyncio.Task[float]] = []

        async def sent(moment: float) -> float:
            await self.send([self._event()])
            return time.perf_counter() - moment

        while going(time.perf_counter() - start):
            moment = start + len(answers) / a_second
            await asyncio.sleep(moment - time.perf_counter())
            answers.append(asyncio.create_task(sent(moment)))
        return await asyncio.gather(*answers)

    async def folded(self) -> None:
        """Wait until nothing is pending."""
        while await self.connection.fetchval("SELECT EXISTS (SELECT FROM pending_fact)"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def send(self, events: list[dict[str, Any]]) -> None:
        """Send events, all of which must be new."""
        async with self.session.post(self.url, json=events, headers={"Content-Type": BATCHED}) as response:
            answered = await response.json(content_type=None)
            if response.status != 202 or answered["accepted"] != len(events):
                raise RuntimeError(f"the API answered {response.status}: {answered}")

    def _event(self) -> dict[str, Any]:
        self.sent += 1
        # A thousand instances take turns, so that the events of one do not follow each other in a batch.
        turn, slot = divmod(self.sent, 1000)
        instance, step = turn // len(_KINDS) * 1000 + slot, turn % len(_KINDS)
        data: dict[str, dict[str, object]] = {
            "started": {"account": f"team:{instance % 100}", "class": "xl"},
            "changed": {"quantity": 2},
        }
        kind, at = _KINDS[step], _START + timedelta(seconds=slot, hours=step)
        return event(kind, f"i-{instance}", at, str(self.sent), data.get(kind))


def event(kind: str, instance: str, at: datetime, key: str, data: dict[str, object] | None = None) -> dict[str, Any]:
    """Return an event as it is sent."""
    return {
        "specversion": "1.0",
        "id": key,
        "source": "bench",
        "type": f"instance.{kind}",
        "subject": instance,
        "time": at.isoformat(),
        **({"data": data} if data else {}),
    }
