"""The webhook: verifies Stripe's signed events and wakes the workflows they are about.

It holds no API key and no database address; its answer says only whether the event was taken.

200: taken, or not ours, or of another mode or account (Stripe must not come again). 400: not signed by
Stripe. 405, 408, 413: not a delivery.
503: Temporal did not take it, so Stripe must come again.

It stands on the internet: bodies are capped, never decompressed and must arrive within seconds, idle
connections are closed, and nothing of a request is parsed before its signature is checked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.stripe_events import MalformedEventError, Unheeded, parse, wake_up
from contracts.wake_up import WakeUp, signal_with_start
from starter.stripe_signature import SignatureError, verify_signature
from starter.stripe_trust import ANY, WRONG_ACCOUNT, WRONG_MODE, Trust, is_other_version

logger = logging.getLogger("perdure.webhook")

PATH = "/stripe/webhook"
MOST_BYTES = 512 * 1024
OUTCOMES = (
    "signalled",
    Unheeded.IGNORED,
    Unheeded.FOREIGN,
    WRONG_MODE,
    WRONG_ACCOUNT,
    "refused",
    "malformed",
    "unavailable",
)
"""How a delivery is counted."""
_LINGER_SECONDS = 2.0  # for a client that is refused while it still sends, to read the answer
_READY_TIMEOUT = timedelta(seconds=3)


@dataclass(frozen=True)
class Limits:
    """How long, in seconds, a request may take."""

    body_seconds: float = 10.0
    """Within this time its body must have arrived."""
    idle_seconds: float = 75.0
    """After this time without a whole request a connection is closed; longer than the usual reverse proxy's 60 s,
    so that it is the proxy who closes idle connections."""
    signal_seconds: float = 5.0
    """Within this time Temporal must have taken the signal; Stripe itself waits about 20 s."""


class Webhook:
    """The aiohttp application's handlers, over one Temporal client."""

    def __init__(self, client: Client, secrets: Sequence[str], limits: Limits = Limits(), trust: Trust = ANY) -> None:
        """Events are verified with any of the signing secrets, two while one is rotated."""
        self._client = client
        self._trust = trust
        self._limits = limits
        self._secrets = list(secrets)
        self._registry = CollectorRegistry()
        self._events = Counter(
            "perdure_webhook_events",
            f"Deliveries by outcome: {', '.join(OUTCOMES)}",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in OUTCOMES:  # at 0 from the start, so that the first one is seen as an increase
            self._events.labels(outcome)
        self._other_versions = Counter(
            "perdure_webhook_other_api_versions",
            "Events of another API version than the SDK's; they are heeded all the same",
            registry=self._registry,
        )
        self._seconds = Histogram(
            "perdure_webhook_seconds", "Time from the request to the answer", registry=self._registry
        )

    def application(self) -> web.Application:
        """The application: the webhook, `/healthz`, `/readyz`, `/metrics`."""
        # Stripe signs the raw body and never compresses it: what is not decompressed cannot blow up.
        handler_args = {
            "auto_decompress": False,
            "keepalive_timeout": self._limits.idle_seconds,
            "lingering_time": min(_LINGER_SECONDS, self._limits.body_seconds),
            "logger": _http_logger(),
        }
        app = web.Application(client_max_size=MOST_BYTES, handler_args=handler_args)
        app.router.add_post(PATH, self.deliver)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def deliver(self, request: web.Request) -> web.Response:
        """Take one delivery of Stripe's."""
        with self._seconds.time():
            outcome, response = await self._deliver(request)
        self._events.labels(outcome).inc()
        return response

    async def _deliver(self, request: web.Request) -> tuple[str, web.Response]:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return "refused", body
        headers = request.headers.getall("Stripe-Signature", [])
        try:
            if len(headers) != 1:
                raise SignatureError(f"{len(headers)} Stripe-Signature headers")
            verify_signature(body, headers[0], self._secrets)
        except SignatureError as error:
            logger.warning("refused a delivery: %s", error)
            return "refused", web.Response(status=400, text="signature refused\n")
        try:
            payload = parse(body)
            target = wake_up(payload)
        except MalformedEventError as error:
            logger.error("a signed delivery is no event: %s", error)
            return "malformed", web.Response(status=400, text="not an event\n")
        if (distrusted := self._trust.check(payload)) is not None:
            return distrusted, web.Response(text="ignored\n")
        if is_other_version(payload):
            self._other_versions.inc()
        if isinstance(target, Unheeded):
            return target, web.Response(text="ignored\n")
        return await self._signal(target)

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """The raw body, or the refusal of one that is too large, too slow or broken off."""
        try:
            if (request.content_length or 0) > MOST_BYTES:
                raise web.HTTPRequestEntityTooLarge(MOST_BYTES)
            return await asyncio.wait_for(request.read(), self._limits.body_seconds)
        except web.HTTPRequestEntityTooLarge:
            refusal = web.Response(status=413, text="too large\n")
        except TimeoutError:
            refusal = web.Response(status=408, text="too slow\n")
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            refusal = web.Response(status=400, text="the body broke off\n")
        refusal.force_close()
        return refusal

    async def _signal(self, target: WakeUp) -> tuple[str, web.Response]:
        try:
            await asyncio.wait_for(signal_with_start(self._client, target), self._limits.signal_seconds)
        except (RPCError, RuntimeError, TimeoutError) as error:  # RuntimeError: a lazy client cannot connect
            logger.error("Temporal did not take %s for %s: %s", target.event.type, target.workflow_id, error)
            return "unavailable", web.Response(status=503, text="try again later\n", headers={"Retry-After": "30"})
        logger.info("%s %s signalled to %s", target.event.event_id, target.event.type, target.workflow_id)
        return "signalled", web.Response(text="ok\n")

    async def healthz(self, _request: web.Request) -> web.Response:
        """The process is alive."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Temporal can be reached."""
        try:
            ready = await self._client.service_client.check_health(timeout=_READY_TIMEOUT)
        except (RPCError, RuntimeError):
            ready = False
        return web.Response(text="ok\n") if ready else web.Response(status=503, text="Temporal cannot be reached\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus metrics."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _Noise(logging.Filter):
    """What is no HTTP is anybody's noise: one line without a traceback, however often it comes."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args, record.exc_info = "no HTTP: %s", (repr(error.message)[:120],), None
        return True


def _http_logger() -> logging.Logger:
    http = logging.getLogger("perdure.webhook.http")
    if not http.filters:
        http.addFilter(_Noise())
    return http
