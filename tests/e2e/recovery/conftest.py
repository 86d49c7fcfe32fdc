"""A backup of PostgreSQL that a test makes and restores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.databases import Databases
from tests.support.losing import Backup
from tests.support.system import System


@pytest.fixture
async def backup(system: System, databases: Databases) -> AsyncIterator[Backup]:
    taken = Backup(system, databases)
    yield taken
    await taken.drop()
