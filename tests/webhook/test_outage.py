"""Without Temporal, Stripe is told to come again; when Temporal is back, so is the webhook."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from aiohttp import ClientSession
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from devstack import ports
from devstack.servers.temporal import TemporalServer, choose_ports
from starter.webhook.handler import Limits, Webhook
from tests.webhook.receiver import NEW_SECRET, Receiver, event, exists, invoice_event, new_key, serving, signature

IMPATIENT = Limits(signal_seconds=1.5)


async def _within(seconds: float, receiver: Receiver, key: str) -> int:
    started = time.monotonic()
    status = await receiver.deliver(invoice_event(key))
    assert time.monotonic() - started < seconds
    return status


async def test_an_outage_of_temporal(scratch: Path, session: ClientSession) -> None:
    server = TemporalServer(choose_ports(), scratch / "temporal-that-stops.log", headless=True)
    key = new_key()
    await server.start()
    try:
        client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        async with serving(Webhook(client, [NEW_SECRET], IMPATIENT), session, client) as receiver:
            assert await _within(4, receiver, key) == 200
            assert (await receiver.get("/readyz"))[0] == 200

            await server.stop()
            statuses = await asyncio.gather(*(_within(4, receiver, key) for _ in range(20)))
            assert set(statuses) == {503}
            assert await _retry_after(receiver, key) == "30"
            assert await receiver.count("unavailable") == 21
            assert await receiver.get("/readyz") == (503, "Temporal cannot be reached\n")
            assert (await receiver.get("/healthz"))[0] == 200
            assert await receiver.deliver(event("charge.refunded", {"id": "ch_1"})) == 200

            await server.start()
            await _until_ready(receiver)
            assert await _within(4, receiver, key) == 200
            assert await exists(client, f"invoice/{key}")
    finally:
        server.child.kill()


async def test_temporal_was_never_there(session: ClientSession) -> None:
    address = f"{ports.HOST}:{ports.choose()}"
    client = await Client.connect(address, data_converter=pydantic_data_converter, lazy=True)
    async with serving(Webhook(client, [NEW_SECRET], IMPATIENT), session, client) as receiver:
        assert await _within(4, receiver, new_key()) == 503
        assert (await receiver.get("/readyz"))[0] == 503
        assert (await receiver.get("/healthz"))[0] == 200


async def _retry_after(receiver: Receiver, key: str) -> str | None:
    body = json.dumps(invoice_event(key))
    headers = {"Stripe-Signature": signature(body)}
    async with receiver.session.post(receiver.url, data=body, headers=headers) as response:
        return response.headers.get("Retry-After")


async def _until_ready(receiver: Receiver) -> None:
    give_up = time.monotonic() + 15
    while (await receiver.get("/readyz"))[0] != 200:
        assert time.monotonic() < give_up, "the webhook did not find Temporal again"
        await asyncio.sleep(0.1)
