"""The webhook: verifies Stripe's signed events and wakes the workflows they concern.

It holds no API key and no database address; its answer says only whether the event was accepted.

200: accepted, or a replay, or not ours, or of another mode or account (Stripe must not send it again).
400: not signed by Stripe, or malformed. 405, 408, 413: not a delivery.
503: Temporal did not accept it, so Stripe must send it again.

It faces the internet: bodies are capped, never decompressed, and must arrive within seconds; no part of a body is
parsed before the signature is checked; lines that anyone can trigger are rate-limited in the log and never quote the
request. Limits of connections: `starter.http.connections`; of HTTP: `starter.http.server`. docs/threat-model.md
describes the attacks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.messages.events import WakeUp
from reconciliation.event_routing import MalformedEventError, Unhandled, parse, wake_up
from starter.http.body import BodyRefusedError, read_body
from starter.http.connections import ConnectionLimits, Connections
from starter.http.rate_limited_log import SparingLog
from starter.http.readiness import Readiness
from starter.http.server import HttpServer, hide_server
from starter.webhook.readiness import reaches
from starter.webhook.replays import Replays
from starter.webhook.signature import SignatureError, verify_signature
from starter.webhook.trust import ANY, WRONG_ACCOUNT, WRONG_MODE, Trust, is_other_version
from temporal.start import deliver

logger = logging.getLogger("perdure.webhook")

PATH = "/stripe/webhook"
MOST_BYTES = 512 * 1024
REPLAYED = "replayed"
OUTCOMES = (
    "signalled",
    REPLAYED,
    Unhandled.IGNORED,
    Unhandled.FOREIGN,
    WRONG_MODE,
    WRONG_ACCOUNT,
    "refused",
    "malformed",
    "unavailable",
)
"""The outcomes by which deliveries are counted."""


@dataclass(frozen=True)
class WebhookLimits:
    """Time limits of a request, in seconds."""

    body_seconds: float = 10.0
    """The time limit for the body to arrive."""
    idle_seconds: float = 75.0
    """A connection without a complete request is closed after this time. It is longer than the usual 60 s of a reverse
    proxy, so that the proxy is the side that closes idle connections."""
    signal_seconds: float = 5.0
    """The time limit for Temporal to accept the signal; Stripe itself waits about 20 s."""
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)


class Webhook:
    """The handlers of the aiohttp application, around one Temporal client."""

    def __init__(
        self, client: Client, secrets: Sequence[str], limits: WebhookLimits = WebhookLimits(), trust: Trust = ANY
    ) -> None:
        """Any of the signing secrets verifies an event; there are two during a rotation."""
        self._client = client
        self._trust = trust
        self.limits = limits
        self._secrets = list(secrets)
        self._replays = Replays()
        self._sparing = SparingLog(logger)
        self._readiness = Readiness(lambda: reaches(client))
        self.registry = CollectorRegistry()
        self.connections = Connections(limits.connections, self.registry, "webhook")
        self._events = Counter(
            "perdure_webhook_events",
            f"Deliveries by outcome: {', '.join(OUTCOMES)}",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in OUTCOMES:  # starts at 0, so that the first event counts as an increase
            self._events.labels(outcome)
        self._last = Gauge(
            "perdure_webhook_last_event_timestamp_seconds",
            "When the last event arrived that Stripe has signed; 0 if there was none since the start",
            registry=self.registry,
        )
        self._other_versions = Counter(
            "perdure_webhook_other_api_versions",
            "Events of another API version than the SDK's; they are handled all the same",
            registry=self.registry,
        )
        self._seconds = Histogram(
            "perdure_webhook_seconds", "Time from the request to the answer", registry=self.registry
        )

    def server(self) -> HttpServer:
        """Return the webhook as a server to run."""
        times = self.limits.body_seconds, self.limits.idle_seconds
        return HttpServer("webhook", self.application(), self.connections, *times)

    def application(self) -> web.Application:
        """Return the application: the webhook, `/healthz`, `/readyz`, `/metrics`."""
        app = web.Application(
            client_max_size=MOST_BYTES,
            middlewares=[self.connections.middleware],
            handler_args={"auto_decompress": False},  # for other servers than `starter.http.server`
        )
        app.on_response_prepare.append(hide_server)
        app.router.add_post(PATH, self.deliver)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def deliver(self, request: web.Request) -> web.Response:
        """Handle one delivery from Stripe."""
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
            delivery = verify_signature(body, headers[0], self._secrets)
        except SignatureError as error:
            self._sparing.warning("refused a delivery: %s", error)
            return "refused", web.Response(status=400, text="signature refused\n")
        self.connections.trust(request)
        self._last.set_to_current_time()
        if delivery in self._replays:
            return REPLAYED, web.Response(text="ok\n")
        outcome, response = await self._handle(body)
        if outcome == "signalled":
            self._replays.remember(delivery)
        return outcome, response

    async def _handle(self, body: bytes) -> tuple[str, web.Response]:
        """Handle a body whose signature is verified."""
        try:
            payload = parse(body)
            target = wake_up(payload)
        except MalformedEventError as error:
            self._sparing.error("a signed delivery is not an event: %s", error)
            return "malformed", web.Response(status=400, text="not an event\n")
        if (distrusted := self._trust.check(payload)) is not None:
            return distrusted, web.Response(text="ignored\n")
        if is_other_version(payload):
            self._other_versions.inc()
        if isinstance(target, Unhandled):
            return target, web.Response(text="ignored\n")
        return await self._signal(target)

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """Return the raw body, or a refusal if it is too large, too slow or incomplete."""
        try:
            return await read_body(request, MOST_BYTES, self.limits.body_seconds)
        except BodyRefusedError as error:
            refusal = web.Response(status=error.status, text=f"{error}\n")
            refusal.force_close()
            return refusal

    async def _signal(self, target: WakeUp) -> tuple[str, web.Response]:
        event = target.event
        about = {"workflow_id": target.workflow_id, "stripe_event": event.event_id, "event_type": event.type}
        try:
            await asyncio.wait_for(deliver(self._client, target), self.limits.signal_seconds)
        except (RPCError, RuntimeError, TimeoutError) as error:  # RuntimeError: a lazy client cannot connect
            logger.error("Temporal did not accept %s for %s: %s", event.type, target.workflow_id, error, extra=about)
            return "unavailable", web.Response(status=503, text="try again later\n", headers={"Retry-After": "30"})
        logger.info("%s %s signalled to %s", event.event_id, event.type, target.workflow_id, extra=about)
        return "signalled", web.Response(text="ok\n")

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer whether Temporal can be reached."""
        ready = await self._readiness.now()
        return web.Response(text="ok\n") if ready else web.Response(status=503, text="Temporal cannot be reached\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with Prometheus metrics."""
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
