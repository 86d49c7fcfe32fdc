"""`/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from temporalio.client import Client

from starter.webhook.handler import OUTCOMES, Webhook
from tests.webhook.receiver import NEW_SECRET, OLD_SECRET, Receiver, event, invoice_event, new_key, serving


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_well(receiver: Receiver, path: str) -> None:
    assert await receiver.get(path) == (200, "ok\n")


async def test_every_delivery_is_counted_by_its_outcome(temporal_client: Client, session: ClientSession) -> None:
    async with serving(Webhook(temporal_client, [NEW_SECRET]), session, temporal_client) as receiver:
        for _ in range(2):
            await receiver.deliver(invoice_event(new_key()))
        await receiver.deliver(event("payout.paid", {"id": "po_1"}))
        for _ in range(4):
            await receiver.deliver(event("invoice.paid", {"id": "in_1", "customer": "cus_1", "metadata": {}}))
        await receiver.post("{}")
        for _ in range(3):
            await receiver.post("{}", {"Stripe-Signature": "t=1,v1=0"})
        counts = {
            outcome: await receiver.count(outcome)
            for outcome in ("signalled", "ignored", "foreign", "malformed", "refused", "unavailable")
        }
        assert counts == {"signalled": 2, "ignored": 1, "foreign": 4, "malformed": 1, "refused": 3, "unavailable": 0}
        _, text = await receiver.get("/metrics")
        assert {f'perdure_webhook_events_total{{outcome="{each}"}}' for each in OUTCOMES} <= {
            line.rpartition(" ")[0] for line in text.splitlines()
        }
        assert "perdure_webhook_seconds_count 11.0" in text.splitlines()


async def test_no_page_tells_a_secret(receiver: Receiver) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        _, text = await receiver.get(path)
        assert not any(secret in text for secret in (OLD_SECRET, NEW_SECRET, "team:", "evt_"))
