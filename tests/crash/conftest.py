from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from campaigns.crash.campaign import Recording, record
from campaigns.crash.scenarios import IN_THE_SUITE
from campaigns.crash.stage import Ground, prepared
from tests.support.databases import Databases


@pytest.fixture(scope="module")
async def ground(databases: Databases, scratch: Path) -> AsyncIterator[Ground]:
    folder = scratch / "crash"
    folder.mkdir()
    async with prepared(databases, folder) as made:
        yield made


@pytest.fixture(scope="module")
async def recording(ground: Ground) -> Recording:
    return await record(ground, IN_THE_SUITE)
