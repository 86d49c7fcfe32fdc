"""A fresh emulator for each test, the real SDK, and a webhook receiver.

With a specification available (see test_contract.py), every test is a contract test as well: each successful
request and each answer that passes through an emulator here must conform to Stripe's specification.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe
from aiohttp import web

from stripe_emulator import EmulatorConfig, StripeEmulator
from stripe_emulator.config import API_VERSION
from stripe_emulator.http import pipeline, sending
from tests.stripe_emulator.specification import Specification, specification

stripe.enable_telemetry = False
KEY = "sk_test_for_tests_only"


@asynccontextmanager
async def sdk(url: str, key: str = KEY, timeout: float = 60) -> AsyncIterator[stripe.StripeClient]:
    """Yield the unmodified SDK, pointed at an emulator."""
    http = stripe.AIOHTTPClient(timeout=timeout)
    try:
        yield stripe.StripeClient(key, http_client=http, base_addresses={"api": url}, max_network_retries=0)
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]


def code_of(error: stripe.StripeError) -> str | None:
    """Return the error's code, which the SDK's own `code` leaves out for 409 and 429."""
    assert error.error is not None
    return error.error.code


@dataclass
class EmulatorProcess:
    """A running emulator, with clients for its API and its admin routes."""

    url: str
    client: stripe.StripeClient
    session: aiohttp.ClientSession
    server: StripeEmulator | None = None

    @property
    def v1(self) -> Any:
        return self.client.v1

    async def admin(self, method: str, path: str, order: dict[str, Any] | None = None, status: int = 200) -> Any:
        async with self.session.request(method, f"{self.url}/_emulator/{path}", json=order) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer

    async def raw(
        self, method: str, path: str, body: str | bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Send a request that the SDK would not send. Returns status, headers and JSON."""
        sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value}
        data = body.encode() if isinstance(body, str) else body
        async with self.session.request(method, self.url + path, data=data or None, headers=sent) as response:
            return response.status, response.headers, await response.json()

    async def customer(self, **params: Any) -> Any:
        return await self.v1.customers.create_async({"name": "Test", **params})

    async def draft(self, *amounts: int, customer: str | None = None, **params: Any) -> Any:
        """Create a draft with a line for each amount."""
        owner = customer or (await self.customer()).id
        invoice = await self.v1.invoices.create_async({"customer": owner, "currency": "usd", **params})
        if not amounts:
            return invoice
        lines = [{"amount": amount, "description": f"line {i}"} for i, amount in enumerate(amounts)]
        return await self.v1.invoices.add_lines_async(invoice.id, {"lines": lines})

    async def events(self, **params: Any) -> list[Any]:
        """List events, oldest first."""
        return list((await self.v1.events.list_async({"limit": 100, **params})).data)[::-1]


@asynccontextmanager
async def running(config: EmulatorConfig | None = None) -> AsyncIterator[EmulatorProcess]:
    server = StripeEmulator(config or EmulatorConfig(search_lag=0.1, webhook_retry_base=0.05))
    async with server.serve() as url, sdk(url) as client, aiohttp.ClientSession() as session:
        yield EmulatorProcess(url, client, session, server)


@pytest.fixture
async def emulator() -> AsyncIterator[EmulatorProcess]:
    async with running() as one:
        yield one


@pytest.fixture
async def v1(emulator: EmulatorProcess) -> Any:
    return emulator.v1


@dataclass
class WebhookSink:
    """A webhook endpoint that checks signatures with the SDK and answers with `statuses` first, then 200."""

    url: str = ""
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    held: asyncio.Event | None = None
    """No delivery is answered until this is set."""
    busy: int = 0
    most_busy: int = 0

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body in self.bodies]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        stripe.WebhookSignature.verify_header(body, request.headers["Stripe-Signature"], self.secret, tolerance=300)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        if self.held is not None:
            await self.held.wait()
        self.busy -= 1
        self.bodies.append(body)
        self.headers.append(request.headers.copy())
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def register(self, emulator: EmulatorProcess, *events: str) -> Any:
        endpoint = await emulator.v1.webhook_endpoints.create_async(
            {"url": self.url, "enabled_events": list(events) or ["*"]}
        )
        self.secret = endpoint.secret
        return endpoint


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookSink]:
    one = WebhookSink()
    app = web.Application()
    app.router.add_post("/hook", one.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield one


@pytest.fixture(autouse=True)
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check every request and answer, if a specification is available."""
    spec = specification()
    if not isinstance(spec, Specification):
        yield
        return
    violations: list[str] = []
    send = sending.send

    async def checked(
        request: web.Request, status: int, text: str, headers: dict[str, str], *rest: Any
    ) -> web.StreamResponse:
        if headers["Stripe-Version"] == API_VERSION:
            violations.extend(spec.violations(request, await request.read(), status, json.loads(text)))
        return await send(request, status, text, headers, *rest)

    monkeypatch.setattr(pipeline, "send", checked)
    yield
    assert not violations, "\n".join(violations)


def log_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
