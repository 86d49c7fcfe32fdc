"""Activities in Temporal's test environment, over a real database, report store and emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from stripe import StripeClient
from temporalio.testing import ActivityEnvironment

from activities.stripe.client import close_stripe_client, make_stripe_client
from devstack.servers.emulator import EmulatorServer
from tests.storage.conftest import db, shared_db

__all__ = ["Admin", "db", "shared_db"]

Admin = Callable[..., Awaitable[Any]]


@pytest.fixture
def env() -> ActivityEnvironment:
    return ActivityEnvironment()


@pytest.fixture
async def stripe_client(stripe_emulator: EmulatorServer) -> AsyncIterator[StripeClient]:
    client = make_stripe_client(stripe_emulator.api_key, stripe_emulator.url)
    yield client
    await close_stripe_client(client)


@pytest.fixture
async def admin(stripe_emulator: EmulatorServer) -> AsyncIterator[Admin]:
    """`await admin("faults", {...})`: the emulator's admin routes. Faults are removed after the test."""
    async with aiohttp.ClientSession() as session:

        async def call(path: str, order: object = None, method: str = "POST") -> Any:
            async with session.request(method, f"{stripe_emulator.url}/_emulator/{path}", json=order) as response:
                assert response.status == 200, await response.text()
                return await response.json()

        yield call
        await call("faults", method="DELETE")
        await call("settings", {"search_lag_seconds": 0.1})
