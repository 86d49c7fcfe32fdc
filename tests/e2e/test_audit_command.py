"""`perdure audit`, as a process of its own, against the whole product."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Perdure
from tests.support.system import System

MAY = "2022-05"


@pytest.fixture
def perdure(system: System, tmp_path: Path) -> Perdure:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return Perdure(
        folder,
        {
            "DATABASE_URL": system.settings.need("database_url"),
            "TEMPORAL_ADDRESS": system.client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": system.client.namespace,
        },
    )


async def test_spine(system: System, perdure: Perdure) -> None:
    await system.add_account("team:once", ("2022-05-01", None))
    await system.add_instance("i-1", "team:once", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    print(await perdure("audit"))
    print(await perdure("audit", "--json"))
    print(await perdure("audit", "--last"))
    print(await perdure("audit", "--period", "2022-13"))
