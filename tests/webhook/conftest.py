"""The real application on a free port, over the real development server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout
from temporalio.client import Client

from starter.webhook import Limits, Webhook
from tests.webhook.receiver import NEW_SECRET, OLD_SECRET, Receiver, serving


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=ClientTimeout(total=30)) as client:
        yield client


@pytest.fixture(scope="session")
async def receiver(temporal_client: Client, session: ClientSession) -> AsyncIterator[Receiver]:
    """A webhook while its secret is rotated: both are good. Bodies must come at once."""
    webhook = Webhook(temporal_client, [OLD_SECRET, NEW_SECRET], Limits(body_seconds=0.5))
    async with serving(webhook, session, temporal_client) as running:
        yield running
