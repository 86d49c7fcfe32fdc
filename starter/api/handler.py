"""The API: it accepts usage and details of customers. What it answers with 202 is committed, and waits to be stored.

It has a database role that can add what it accepts and read tokens, and nothing else. A request without a valid token
is refused before its body is read. Limits of connections: `starter.http.connections`; of HTTP: `starter.http.server`.
docs/send-events.md describes it for senders, docs/threat-model.md the attacks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from billing.usage.arriving_details import ArrivingDetails
from billing.usage.events import Arrival
from billing.usage.rows import RowFault
from starter.api import content
from starter.api.items import (
    Parsed,
    ParsedDetails,
    details_item,
    event_item,
    item_result,
    read_accounts,
    read_rows,
    row_item,
)
from starter.api.models import MOST_ITEMS, Accepted
from starter.api.openapi import document
from starter.api.problems import ProblemError, answer, unauthorized, unavailable
from starter.api.rate import RateLimit
from starter.api.storing import Storing
from starter.api.tokens import Tokens
from starter.http.body import BodyRefusedError, read_body
from starter.http.connections import ConnectionLimits, Connections
from starter.http.rate_limited_log import SparingLog
from starter.http.readiness import Readiness
from starter.http.server import HttpServer, hide_server
from storage.arrivals.details import accept_details
from storage.arrivals.events import Acceptance, accept_corrections
from storage.arrivals.tokens import TokenScope, ValidToken, valid_tokens
from storage.postgres.database import Database, DatabaseUnavailableError

logger = logging.getLogger("perdure.api")

EVENTS, INSTANCES, ACCOUNTS = "/v1/events", "/v1/instances", "/v1/accounts"
_USAGE = (TokenScope.INGEST, TokenScope.OPERATE)
MOST_BYTES = 1024 * 1024
_LARGE_BYTES = 64 * 1024
_LARGE_AT_ONCE = 8  # a parsed request needs several times the memory of its body
_STATUSES = (202, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503)
_T = TypeVar("_T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class ApiLimits:
    """Limits of requests; times are in seconds."""

    per_second: float | None = None
    """The maximum rate of events and rows of one token."""
    body_seconds: float = 10.0
    idle_seconds: float = 75.0
    """Longer than the usual 60 s of a reverse proxy, so that the proxy is the side that closes idle connections."""
    store_seconds: float = 10.0
    """The time limit for the database to store a request."""
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)


class Api:
    """The handlers of the aiohttp application, around one database."""

    def __init__(self, db: Database, limits: ApiLimits = ApiLimits()) -> None:
        self._db = db
        self.limits = limits
        self._tokens = Tokens(lambda: valid_tokens(db))
        self._rate = RateLimit(limits.per_second, MOST_ITEMS)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._sparing = SparingLog(logger)
        self._storing = Storing(db)
        self._readiness = Readiness(self._reaches)
        self.registry = CollectorRegistry()
        self.connections = Connections(limits.connections, self.registry, "api")
        self._items = Counter("perdure_api_items", "Events and rows, by outcome", ["outcome"], registry=self.registry)
        self._requests = Counter("perdure_api_requests", "Requests, by status", ["status"], registry=self.registry)
        self._seconds = Histogram("perdure_api_seconds", "Time from the request to the answer", registry=self.registry)
        for outcome in Acceptance:  # starts at 0, so that the first one counts as an increase
            self._items.labels(outcome)
        for status in _STATUSES:
            self._requests.labels(status)

    def server(self) -> HttpServer:
        """Return the API as a server to run."""
        return HttpServer(
            "api", self.application(), self.connections, self.limits.body_seconds, self.limits.idle_seconds
        )

    def application(self) -> web.Application:
        """Return the application: the API, `/healthz`, `/readyz`, `/metrics`."""
        app = web.Application(
            client_max_size=MOST_BYTES,
            middlewares=[self.connections.middleware, self._answered],
            handler_args={"auto_decompress": False},
        )
        app.on_response_prepare.append(hide_server)
        app.router.add_post(EVENTS, self.take_events)
        app.router.add_post(INSTANCES, self.take_instances)
        app.router.add_post(ACCOUNTS, self.take_accounts)
        app.router.add_get("/v1/openapi.json", self.openapi)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def take_events(self, request: web.Request) -> web.Response:
        """Take events about instances."""
        token = await self._authenticate(request, _USAGE)
        media = content.content_type(request.headers)
        body = await self._body(request)
        async with self._room_for(body):
            given = content.items(media, request.headers, body)
            self._pace(token, len(given))
            received = datetime.now(UTC)
            parsed = [event_item(index, each, received) for index, each in enumerate(given)]
            return await self._store(parsed)

    async def take_instances(self, request: web.Request) -> web.Response:
        """Take rows of instances."""
        token = await self._authenticate(request, _USAGE)
        body = await self._json(request)
        async with self._room_for(body):
            given = read_rows(body)
            if given.correct and token.scope is not TokenScope.OPERATE:
                raise ProblemError(403, f"correct needs a token of the scope {TokenScope.OPERATE}")
            self._pace(token, len(given.instances))
            received = datetime.now(UTC)
            corrects = given.correct
            parsed = [
                row_item(index, each, token.name, received, corrects) for index, each in enumerate(given.instances)
            ]
            return await self._store(parsed, corrects=corrects)

    async def take_accounts(self, request: web.Request) -> web.Response:
        """Take rows of details of customers, which count each time that they arrive."""
        token = await self._authenticate(request, (TokenScope.ACCOUNTS,))
        body = await self._json(request)
        async with self._room_for(body):
            given = read_accounts(body)
            self._pace(token, len(given.accounts))
            received = datetime.now(UTC)
            parsed = [details_item(index, each, token.name, received) for index, each in enumerate(given.accounts)]
            good = [each for _, each in parsed if isinstance(each, ArrivingDetails)]
            if good:
                await self._within_time(accept_details(self._db, good))
            return self._answer(parsed, [Acceptance.ACCEPTED] * len(good))

    async def _authenticate(self, request: web.Request, scopes: Sequence[TokenScope]) -> ValidToken:
        headers = request.headers.getall("Authorization", [])
        scheme, _, secret = (headers[0] if len(headers) == 1 else "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise unauthorized("send one header `Authorization: Bearer TOKEN`; `perdure tokens create` makes a token")
        token = await self._within_time(self._tokens.find(secret.strip()))
        if token is None:
            self._sparing.warning("refused a request: its token is not known, was revoked, or has expired")
            raise unauthorized("the token is not known, was revoked, or has expired")
        self.connections.trust(request)
        if token.scope not in scopes:
            raise ProblemError(
                403, f"this needs a token of the scope {' or '.join(scopes)}, and this one's is {token.scope}"
            )
        return token

    async def _json(self, request: web.Request) -> bytes:
        if content.media_type(request.headers) != content.JSON:
            raise ProblemError(415, f"the Content-Type is {content.JSON}")
        return await self._body(request)

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await read_body(request, MOST_BYTES, self.limits.body_seconds)
        except BodyRefusedError as error:
            detail = f"the body is larger than {MOST_BYTES} bytes" if error.status == 413 else str(error)
            raise ProblemError(error.status, detail, closes=True) from None

    def _room_for(self, body: bytes) -> AbstractAsyncContextManager[object]:
        return self._large if len(body) > _LARGE_BYTES else nullcontext()

    def _pace(self, token: ValidToken, count: int) -> None:
        seconds = self._rate.take(token.name, count)
        if seconds:
            raise ProblemError(
                429,
                f"more than {self.limits.per_second:g} events a second: wait {seconds} s",
                headers={"Retry-After": str(seconds)},
            )

    async def _store(self, parsed: Sequence[Parsed], *, corrects: bool = False) -> web.Response:
        arrivals = [each for _, each in parsed if isinstance(each, Arrival)]
        return self._answer(parsed, await self._within_time(self._accept(arrivals, corrects=corrects)))

    def _answer(self, parsed: Sequence[Parsed | ParsedDetails], accepted: Sequence[Acceptance]) -> web.Response:
        stored = iter(accepted)
        results = [item_result(index, key, each, stored) for index, (key, each) in enumerate(parsed)]
        counts = {status: sum(each.status is status for each in results) for status in Acceptance}
        for status, count in counts.items():
            self._items.labels(status).inc(count)
        if parsed and counts[Acceptance.REFUSED] == len(parsed):
            faults = [RowFault(each.index, fault.field, fault.reason) for each in results for fault in each.faults]
            raise ProblemError(422, "nothing was stored: every event or row is refused", faults)
        answered = Accepted(**{str(status): count for status, count in counts.items()}, results=results)
        return web.json_response(text=answered.model_dump_json(exclude_defaults=True), status=202)

    async def _accept(self, arrivals: Sequence[Arrival], *, corrects: bool) -> list[Acceptance]:
        if not corrects:
            return await self._storing.store(arrivals)
        if arrivals:
            await accept_corrections(self._db, arrivals)
        return [Acceptance.ACCEPTED] * len(arrivals)

    async def _within_time(self, asked: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self.limits.store_seconds):
                return await asked
        except (DatabaseUnavailableError, TimeoutError) as error:
            self._sparing.error("the database cannot be reached: %s", error or "no answer in time")
            raise unavailable() from None

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn what a handler raises into an answer, and count it."""
        started = time.monotonic()
        try:
            response = await handler(request)
        except ProblemError as problem:
            response = answer(problem)
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            response = answer(ProblemError(error.status, f"{request.method} is not possible here", headers=allow))
        if request.method == "POST":
            self._requests.labels(response.status).inc()
            self._seconds.observe(time.monotonic() - started)
        return response

    async def openapi(self, _request: web.Request) -> web.Response:
        """Answer with the OpenAPI document."""
        return web.json_response(document())

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer whether the database can be reached."""
        ready = await self._readiness.now()
        return web.Response(text="ok\n") if ready else web.Response(status=503, text="the database cannot be reached\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with Prometheus metrics."""
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _reaches(self) -> bool:
        try:
            await asyncio.wait_for(self._db.ping(), self.limits.store_seconds)
        except (DatabaseUnavailableError, TimeoutError):
            return False
        return True
