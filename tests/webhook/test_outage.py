"""Without Temporal, Stripe is asked to retry; when Temporal is back, so is the webhook."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from devstack.servers.temporal import start_headless
from starter.webhook.handler import Webhook, WebhookLimits
from tests.support.ports import nobody_listens
from tests.support.until import until
from tests.webhook.receiver import NEW_SECRET, Receiver, event, exists, invoice_event, new_key, serving, signature

pytestmark = pytest.mark.waits

IMPATIENT = WebhookLimits(signal_seconds=1.5)
_STRIPE_WAITS_SECONDS = 20.0


async def _in_time(receiver: Receiver, key: str) -> int:
    """Return the answer to a delivery, which must arrive before Stripe's timeout."""
    async with asyncio.timeout(_STRIPE_WAITS_SECONDS):
        return await receiver.deliver(invoice_event(key))


async def test_an_outage_of_temporal(scratch: Path, session: ClientSession) -> None:
    server = await start_headless(scratch / "temporal-that-stops.log")
    key = new_key()
    try:
        client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        async with serving(Webhook(client, [NEW_SECRET], IMPATIENT), session, client) as receiver:
            assert await _in_time(receiver, key) == 200
            assert (await receiver.get("/readyz"))[0] == 200

            await server.stop()
            statuses = await asyncio.gather(*(_in_time(receiver, key) for _ in range(20)))
            assert set(statuses) == {503}
            assert await _retry_after(receiver, key) == "30"
            assert await receiver.count("unavailable") == 21
            assert await receiver.get("/readyz") == (503, "Temporal cannot be reached\n")
            assert (await receiver.get("/healthz"))[0] == 200
            assert await receiver.deliver(event("payout.paid", {"id": "po_1"})) == 200

            await server.start()
            await until(lambda: _ready(receiver))
            assert await _in_time(receiver, key) == 200
            assert await exists(client, f"invoice/{key}")
    finally:
        server.child.kill()


async def test_temporal_was_never_there(session: ClientSession) -> None:
    with nobody_listens() as address:
        client = await Client.connect(address, data_converter=pydantic_data_converter, lazy=True)
        async with serving(Webhook(client, [NEW_SECRET], IMPATIENT), session, client) as receiver:
            assert await _in_time(receiver, new_key()) == 503
            assert (await receiver.get("/readyz"))[0] == 503
            assert (await receiver.get("/healthz"))[0] == 200


async def _retry_after(receiver: Receiver, key: str) -> str | None:
    body = json.dumps(invoice_event(key))
    headers = {"Stripe-Signature": signature(body)}
    async with receiver.session.post(receiver.url, data=body, headers=headers) as response:
        return response.headers.get("Retry-After")


async def _ready(receiver: Receiver) -> bool:
    return (await receiver.get("/readyz"))[0] == 200
