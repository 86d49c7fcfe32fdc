"""The steps of an API request from bytes to answer: key, limits, parameters, idempotency, handler, log, faults."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import secrets
from dataclasses import dataclass, field

from aiohttp import web

from stripe_emulator.api import ENDPOINTS
from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.config import Behaviour, EmulatorConfig
from stripe_emulator.engine.clock import Clock
from stripe_emulator.engine.context import Context, EmulatedAccount
from stripe_emulator.engine.events import EventLog
from stripe_emulator.engine.faults import FaultRule, Faults
from stripe_emulator.engine.objects import dumps
from stripe_emulator.engine.rendering import rendered
from stripe_emulator.engine.search import SearchIndex
from stripe_emulator.engine.store import Store
from stripe_emulator.errors import StripeError, forbidden
from stripe_emulator.http.expand import expand
from stripe_emulator.http.idempotency import Idempotency, Kept, fingerprint
from stripe_emulator.http.permissions import permission_for
from stripe_emulator.http.rate_limits import RateLimiter, too_many
from stripe_emulator.http.request_log import RequestLog, masked
from stripe_emulator.http.routing import Router
from stripe_emulator.http.sending import send
from stripe_emulator.params.forms import nest, pairs

log = logging.getLogger(__name__)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z_]+)?")


@dataclass(slots=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    query: str
    body: str
    key: str | None
    request_id: str
    version: str
    status: int = 500
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    replayed: bool = False
    fault: FaultRule | None = None


@dataclass(slots=True)
class Pipeline:
    """Answers API requests, with the parts that this needs."""

    config: EmulatorConfig
    store: Store
    clock: Clock
    account: EmulatedAccount
    events: EventLog
    search: SearchIndex
    idempotency: Idempotency
    limiter: RateLimiter
    faults: Faults
    requests: RequestLog
    behaviour: Behaviour
    router: Router = field(default_factory=lambda: Router(ENDPOINTS))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer an API request and log it."""
        raw = await request.read()
        exchange = Exchange(
            request.method,
            request.path,
            request.rel_url.raw_query_string,
            raw.decode("utf-8", "backslashreplace"),
            request.headers.get("Idempotency-Key") if request.method == "POST" else None,
            f"req_{secrets.token_hex(7)}",
            request.headers.get("Stripe-Version", self.behaviour.api_version),
        )
        exchange.fault = self.faults.pick(exchange.method, exchange.path, exchange.body)
        try:
            await self._answer(request, exchange, raw)
        except StripeError as error:
            _failed(exchange, error)
        except Exception:  # the client gets Stripe's 500, and the log the traceback
            log.exception("%s %s failed", exchange.method, exchange.path)
            _failed(exchange, _server_error(500))
        self._headers(exchange)
        self._log(request, exchange)
        return await send(request, exchange.status, exchange.text, exchange.headers, exchange.fault)

    async def _answer(self, request: web.Request, exchange: Exchange, raw: bytes) -> None:
        if exchange.fault is not None and exchange.fault.action == "lost_request":
            raise _server_error(500)  # not sent: the connection is dropped instead
        self._authenticate(request)
        self._refuse_connect(request)
        if not _VERSION.fullmatch(exchange.version):
            raise StripeError(f"Invalid Stripe API version: {exchange.version}")
        fault = exchange.fault
        if fault is not None and fault.action == "400":
            raise StripeError("Refused by order.")
        if fault is not None and fault.action == "429":
            raise too_many("endpoint-rate")
        if fault is not None and fault.action == "503":
            raise _server_error(503)
        endpoint, ids = self.router.find(exchange.method, exchange.path)
        self.limiter.check(endpoint.name)
        if self.behaviour.denied and (needed := permission_for(endpoint)) in self.behaviour.denied:
            raise forbidden(self.account.id, f"rak_{needed}")
        found = pairs(exchange.query) + pairs(_form(request, exchange, raw))
        mark = fingerprint(exchange.path, found)
        if exchange.key is not None:
            kept = self.idempotency.look(exchange.key, exchange.path, mark, self.clock.now())
            if kept is not None:
                exchange.status, exchange.text, exchange.replayed = kept.status, kept.body, True
                exchange.headers["Idempotent-Replayed"] = "true"
                exchange.headers["Original-Request"] = kept.request
                return
        context = Context(
            self.store,
            self.events,
            self.search,
            self.account,
            self.behaviour,
            self.clock.now(),
            exchange.request_id,
            exchange.key,
            endpoint.params(nest(found)),
            ids,
        )
        await self._execute(exchange, endpoint, context, mark)

    async def _execute(self, exchange: Exchange, endpoint: Endpoint, context: Context, mark: str) -> None:
        key, fault = exchange.key, exchange.fault
        if key is not None:
            self.idempotency.begin(key)
        try:
            if fault is not None and fault.action == "slow":
                await asyncio.sleep(fault.seconds)
            if exchange.method == "GET":
                if fault is not None and fault.action == "500":
                    raise _server_error(500)
                _succeeded(exchange, _run(endpoint, context, exchange.version))
                return
            self._change(exchange, endpoint, context, mark)
        finally:
            if key is not None:
                self.idempotency.end(key)

    def _change(self, exchange: Exchange, endpoint: Endpoint, context: Context, mark: str) -> None:
        """Execute the request and keep the answer under the key, in one transaction."""
        fault = exchange.fault
        broken = fault is not None and fault.action == "500"
        with self.store.transaction():
            try:
                with self.store.savepoint():
                    if not broken or (fault is not None and fault.committed):
                        _succeeded(exchange, _run(endpoint, context, exchange.version))
                if broken:
                    raise _server_error(500)
            except StripeError as error:
                _failed(exchange, error)
            if exchange.key is not None and not (broken and fault is not None and not fault.stored):
                answer = Kept(exchange.status, exchange.text, exchange.request_id)
                self.idempotency.keep(exchange.key, exchange.path, mark, answer, context.now)

    def _authenticate(self, request: web.Request) -> None:
        given = _api_key(request.headers.get("Authorization", ""))
        if given is None:
            raise StripeError(
                "You did not provide an API key. You need to provide your API key in the Authorization header, "
                "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                status=401,
            )
        wanted = self.config.api_key
        good = given.startswith(("sk_test_", "rk_test_")) if wanted is None else given == wanted
        if not good:
            raise StripeError(f"Invalid API Key provided: {given[:8]}{'*' * 12}{given[-4:]}", status=401)

    def _refuse_connect(self, request: web.Request) -> None:
        for name in ("Stripe-Account", "Stripe-Context"):
            if request.headers.get(name, self.account.id) != self.account.id:
                raise StripeError(
                    f"The Stripe emulator has one account, {self.account.id}; the header {name} names another.",
                    code="account_invalid",
                    status=403,
                )

    def _headers(self, exchange: Exchange) -> None:
        exchange.headers["Request-Id"] = exchange.request_id
        exchange.headers["Stripe-Version"] = exchange.version
        if exchange.key is not None and exchange.key.isprintable():
            exchange.headers["Idempotency-Key"] = exchange.key
        if exchange.replayed or exchange.status in (400, 402, 404):
            exchange.headers.setdefault("Stripe-Should-Retry", "false")

    def _log(self, request: web.Request, exchange: Exchange) -> None:
        self.requests.write(
            {
                "method": exchange.method,
                "path": exchange.path,
                "target": request.raw_path,
                "headers": masked(request.headers),
                "body": exchange.body,
                "status": exchange.status,
                "request_id": exchange.request_id,
                "replayed": exchange.replayed,
                "fault": exchange.fault.action if exchange.fault is not None else None,
                "clock": self.clock.now(),
            }
        )


def _run(endpoint: Endpoint, context: Context, version: str) -> str:
    answer = endpoint.handler(context)
    text = answer if isinstance(answer, str) else dumps(answer)
    paths = context.params.get("expand")
    return rendered(context.store, expand(context, text, paths) if paths else text, version)


def _succeeded(exchange: Exchange, text: str) -> None:
    exchange.status, exchange.text = 200, text


def _failed(exchange: Exchange, error: StripeError) -> None:
    exchange.status, exchange.text = error.status, error.body(exchange.request_id)
    exchange.headers.update(error.headers)


def _server_error(status: int) -> StripeError:
    return StripeError("An unknown error occurred on the Stripe emulator.", status=status, type="api_error")


def _form(request: web.Request, exchange: Exchange, raw: bytes) -> str:
    if not raw:
        return ""
    if exchange.method != "POST":
        raise StripeError(f"Invalid request: a {exchange.method} request must not have a body.")
    if request.content_type != "application/x-www-form-urlencoded":
        raise StripeError(
            f"Invalid request: the Content-Type is {request.content_type}, not application/x-www-form-urlencoded."
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise StripeError("Invalid request: the body is not UTF-8.") from None


def _api_key(header: str) -> str | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
