"""The webhook in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from temporalio.client import Client

from reconciliation.event_types import ENABLED_EVENTS
from starter.webhook.handler import PATH, Webhook


@asynccontextmanager
async def registered_webhook(client: Client, stripe: Any) -> AsyncIterator[Webhook]:
    """Yield the webhook, listening and registered with the emulator."""
    webhook = Webhook(client, [])
    runner = web.AppRunner(webhook.application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        endpoint = await stripe.v1.webhook_endpoints.create_async(
            {"url": f"http://127.0.0.1:{port}{PATH}", "enabled_events": ENABLED_EVENTS}
        )
        webhook._secrets.append(endpoint.secret)
        yield webhook
        await stripe.v1.webhook_endpoints.delete_async(endpoint.id)
    finally:
        await runner.cleanup()
