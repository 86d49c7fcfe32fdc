"""A running webhook, and how Stripe talks to it."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import stripe
from aiohttp import ClientSession
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from devstack import ports
from starter.http import server as http_server
from starter.webhook.handler import PATH, Webhook
from tests.support.until import GIVE_UP_SECONDS

OLD_SECRET = "whsec_old_for_tests_only"
NEW_SECRET = "whsec_new_for_tests_only"
_NUMBERS = itertools.count(1)


def signature(body: str, secret: str = NEW_SECRET, *, age: float = 0) -> str:
    """Return a `Stripe-Signature` header that is `age` seconds old."""
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time() - age))
    return header


def event(kind: str, subject: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an event as Stripe sends it, with a unique id."""
    return {
        "id": f"evt_{next(_NUMBERS)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1654041600,
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    } | changes


def invoice_event(key: str, kind: str = "invoice.finalized", **changes: Any) -> dict[str, Any]:
    """Return an event of an invoice with our key in its metadata."""
    metadata = {"perdure_invoice": key}
    return event(kind, {"id": "in_1", "object": "invoice", "customer": "cus_1", "metadata": metadata}, **changes)


def new_key() -> str:
    """Return an invoice key that no other test uses."""
    return f"2022-05/team:t{next(_NUMBERS)}/period"


@dataclass
class Receiver:
    """A running webhook; `client` shows its effects in Temporal."""

    host: str
    port: int
    session: ClientSession
    client: Client

    @property
    def url(self) -> str:
        """The URL to which Stripe delivers."""
        return f"http://{self.host}:{self.port}{PATH}"

    async def post(self, body: str | bytes, headers: Any = None) -> int:
        """Post the bytes, signed with the new secret unless other headers are given."""
        if headers is None:
            headers = {"Stripe-Signature": signature(body if isinstance(body, str) else body.decode())}
        async with self.session.post(self.url, data=body, headers=headers) as response:
            await response.read()
            return response.status

    async def deliver(self, payload: object, *, age: float = 0) -> int:
        """Post a valid delivery, signed `age` seconds ago."""
        body = json.dumps(payload)
        return await self.post(body, {"Stripe-Signature": signature(body, age=age)})

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a page."""
        async with self.session.get(f"http://{self.host}:{self.port}{path}") as response:
            return response.status, await response.text()

    async def count(self, outcome: str) -> float:
        """Return the number of deliveries with this outcome."""
        return await self.metric(f'perdure_webhook_events_total{{outcome="{outcome}"}}')

    async def metric(self, name: str) -> float:
        """Return a metric's value, 0 if it does not exist."""
        _, text = await self.get("/metrics")
        wanted = f"{name} "
        return sum(float(line.removeprefix(wanted)) for line in text.splitlines() if line.startswith(wanted))

    async def started(self) -> float:
        """Return the number of deliveries that signalled a workflow."""
        return await self.count("signalled")

    async def raw(self, *chunks: bytes, pause: float = 0.0) -> bytes:
        """Write chunks to a new connection and read until the server closes it."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(pause)
            return await asyncio.wait_for(reader.read(), GIVE_UP_SECONDS)
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def serving(webhook: Webhook, session: ClientSession, client: Client) -> AsyncIterator[Receiver]:
    """Serve the webhook's application on a free port."""
    async with http_server.serving(webhook.server(), ports.HOST, 0) as port:
        yield Receiver(ports.HOST, port, session, client)


async def signals(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """Return the messages of the workflow's signals, in order."""
    history = await handle.fetch_history()
    return [
        json.loads(found.workflow_execution_signaled_event_attributes.input.payloads[0].data)
        for found in history.events
        if found.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    ]


async def exists(client: Client, workflow_id: str) -> bool:
    """Whether a workflow with this id was ever started."""
    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True
