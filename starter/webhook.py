"""The webhook: verifies Stripe's signed events and wakes the workflows they are about.

It holds no API key and no database address; its answer says only whether the event was taken.

200: taken, or not ours (Stripe must not come again). 400: not signed by Stripe. 405, 413: not a delivery.
503: Temporal did not take it, so Stripe must come again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from temporalio.client import Client
from temporalio.common import SearchAttributePair as Pair
from temporalio.common import TypedSearchAttributes
from temporalio.service import RPCError

from contracts import search_attributes
from contracts.names import BILLING_QUEUE, Signals
from starter.stripe_events import MalformedEventError, WakeUp, wake_up
from starter.stripe_signature import SignatureError, verify_signature

logger = logging.getLogger("perdure.webhook")

PATH = "/stripe/webhook"
MOST_BYTES = 512 * 1024
_SIGNAL_SECONDS = 8.0
_READY_TIMEOUT = timedelta(seconds=3)


class Webhook:
    """The aiohttp application's handlers, over one Temporal client."""

    def __init__(self, client: Client, secrets: Sequence[str]) -> None:
        self._client = client
        self._secrets = list(secrets)
        self._registry = CollectorRegistry()
        self._events = Counter(
            "perdure_webhook_events",
            "Deliveries by outcome: signalled, ignored, refused, malformed, unavailable",
            ["outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "perdure_webhook_seconds", "Time from the request to the answer", registry=self._registry
        )

    def application(self) -> web.Application:
        """The application: the webhook, `/healthz`, `/readyz`, `/metrics`."""
        app = web.Application(client_max_size=MOST_BYTES)
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
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return "refused", web.Response(status=413, text="too large\n")
        headers = request.headers.getall("Stripe-Signature", [])
        try:
            if len(headers) != 1:
                raise SignatureError(f"{len(headers)} Stripe-Signature headers")
            verify_signature(body, headers[0], self._secrets)
        except SignatureError as error:
            logger.warning("refused a delivery: %s", error)
            return "refused", web.Response(status=400, text="signature refused\n")
        try:
            target = wake_up(json.loads(body))
        except (json.JSONDecodeError, RecursionError, MalformedEventError) as error:
            logger.error("a signed delivery is no event: %s", error)
            return "malformed", web.Response(status=400, text="not an event\n")
        if target is None:
            return "ignored", web.Response(text="ignored\n")
        return await self._signal(target)

    async def _signal(self, target: WakeUp) -> tuple[str, web.Response]:
        try:
            await asyncio.wait_for(signal_with_start(self._client, target), _SIGNAL_SECONDS)
        except (RPCError, TimeoutError) as error:
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


async def signal_with_start(client: Client, target: WakeUp) -> None:
    """Signal the workflow, starting it when it rests.

    Raises:
        RPCError: Temporal did not take it.
    """
    pairs = []
    if target.attribution_id is not None and target.billing_period is not None:
        pairs = [
            Pair(search_attributes.ATTRIBUTION_ID, target.attribution_id),
            Pair(search_attributes.BILLING_PERIOD, target.billing_period),
        ]
    await client.start_workflow(
        target.workflow,
        target.input,
        id=target.workflow_id,
        task_queue=BILLING_QUEUE,
        start_signal=Signals.STRIPE_EVENT,
        start_signal_args=[target.event],
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=target.summary,
    )
