"""A running API, and how senders talk to it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import ClientSession

from devstack import ports
from starter.api.content import BATCHED, STRUCTURED
from starter.api.handler import EVENTS, INSTANCES, Api, ApiLimits
from starter.http.server import serving
from storage.arrivals.tokens import TokenScope, add_token, make_secret
from storage.postgres.database import Database
from tests.api.sending import new_id


@dataclass
class Answered:
    """An answer: its status, headers and JSON."""

    status: int
    headers: Any
    json: Any


@dataclass
class Sender:
    """Somebody with a token who sends to the API at this address."""

    host: str
    port: int
    session: ClientSession
    token: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def events(self, *events: dict[str, Any], **headers: str) -> Answered:
        """Send the events as a batch."""
        return await self.post(EVENTS, list(events), **{"Content-Type": BATCHED, **headers})

    async def event(self, event: dict[str, Any], **headers: str) -> Answered:
        """Send one event, structured."""
        return await self.post(EVENTS, event, **{"Content-Type": STRUCTURED, **headers})

    async def rows(self, *rows: dict[str, Any], **given: Any) -> Answered:
        """Send rows."""
        return await self.post(INSTANCES, {"instances": list(rows), **given}, **{"Content-Type": "application/json"})

    async def post(self, path: str, body: Any, **headers: str) -> Answered:
        """Send a body: bytes as they are, else as JSON."""
        given = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        async with self.session.post(
            f"{self.url}{path}", headers=sent, skip_auto_headers=["Content-Type"], **given
        ) as response:
            return Answered(response.status, response.headers, await response.json(content_type=None))

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page."""
        async with self.session.get(f"{self.url}{path}") as response:
            return response.status, await response.text()

    async def metric(self, name: str) -> float:
        """Return a metric's value."""
        lines = (await self.get("/metrics"))[1].splitlines()
        return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))


def cloud_event(kind: str, at: datetime, /, instance: str = "i", **changes: Any) -> dict[str, Any]:
    """Return an event as it is sent; `changes` are its attributes, and `data`."""
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": "product",
        "type": f"instance.{kind}",
        "subject": instance,
        "time": at.isoformat(),
        **changes,
    }


async def new_token(db: Database, name: str = "crm", scope: TokenScope = TokenScope.INGEST, **given: Any) -> str:
    """Add a token and return its secret."""
    secret = make_secret()
    assert await add_token(db, name, secret, scope, by="tests", expires_at=None, **given)
    return secret


@asynccontextmanager
async def sender_to(api: Api, token: str) -> AsyncIterator[Sender]:
    """Run the API and yield a sender to it."""
    async with serving(api.server(), ports.HOST, 0) as port, ClientSession() as session:
        yield Sender(ports.HOST, port, session, token)


@asynccontextmanager
async def running(db: Database, token: str, limits: ApiLimits | None = None) -> AsyncIterator[Sender]:
    """Run an API on the database and yield a sender to it."""
    async with sender_to(Api(db, limits or ApiLimits()), token) as sender:
        yield sender
