"""The real application on a free port, over the real development server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout
from temporalio.client import Client
from temporalio.service import RPCError

from starter.webhook.handler import Webhook, WebhookLimits
from starter.webhook.trust import Trust
from tests.webhook.receiver import NEW_SECRET, OLD_SECRET, Receiver, serving


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=ClientTimeout(total=30)) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
async def leave_no_workflow(temporal_client: Client) -> AsyncIterator[None]:
    """Terminate what was signalled here, so that workers of other tests do not find it."""
    yield
    query = (
        'ExecutionStatus = "Running" AND (WorkflowId STARTS_WITH "invoice/" OR WorkflowId STARTS_WITH "subscription/")'
    )
    empty = 0
    while empty < 2:  # a workflow is listed a little after its start
        found = [workflow async for workflow in temporal_client.list_workflows(query)]
        for workflow in found:
            with contextlib.suppress(RPCError):
                handle = temporal_client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
                await handle.terminate("the test is over")
        empty = 0 if found else empty + 1
        await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
async def receiver(temporal_client: Client, session: ClientSession) -> AsyncIterator[Receiver]:
    """A webhook during a rotation: both secrets are valid. Bodies must arrive immediately."""
    webhook = Webhook(temporal_client, [OLD_SECRET, NEW_SECRET], WebhookLimits(body_seconds=0.5))
    async with serving(webhook, session, temporal_client) as running:
        yield running


@pytest.fixture
async def live(temporal_client: Client, session: ClientSession) -> AsyncIterator[Receiver]:
    """A webhook for live events of one account."""
    webhook = Webhook(temporal_client, [NEW_SECRET], WebhookLimits(), Trust("live", "acct_ours"))
    async with serving(webhook, session, temporal_client) as receiver:
        yield receiver
