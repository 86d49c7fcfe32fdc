"""Subscribers, for tests that need no other settings."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.system import System


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    async with subscribing(system) as found:
        yield found
