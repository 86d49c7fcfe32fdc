"""What the worker of the queue `sources` loads, needs and refuses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

import settings as product_settings
from settings import SettingsError
from storage.arrivals.events import accept
from storage.arrivals.pending import last_pending
from storage.arrivals.sources import ForbiddenRoleError
from storage.postgres.roles import API, BILLING, INGEST, OPERATOR, READER
from tests.api.sending import event
from tests.arrivals.product import may
from tests.support.roles import as_role
from tests.support.system import System
from tests.support.until import until
from worker import sources_worker

_LOADED = """
import asyncio, sys
import settings, worker
from temporalio.client import Client

async def main():
    client = await Client.connect("{address}", namespace="{namespace}")
    given = settings.load(database_url="{url}", sources="{sources}")
    async with worker.sources_worker(client, given):
        print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
        print(*sorted(name for name in sys.modules if name.startswith(("activities.", "storage."))))

asyncio.run(main())
"""


async def test_it_loads_neither_stripe_nor_what_bills(system: System, tmp_path: Path) -> None:
    code = _LOADED.format(
        address=system.client.service_client.config.target_host,
        namespace=system.client.namespace,
        url=as_role(system.settings.need("database_url"), INGEST),
        sources=tmp_path / "sources.toml",
    )
    (tmp_path / "sources.toml").write_text("")
    run = partial(subprocess.run, capture_output=True, text=True, check=False)
    ran = await asyncio.to_thread(run, [sys.executable, "-c", code])
    assert ran.returncode == 0, ran.stderr
    rooms, modules = ran.stdout.splitlines()
    assert not {"stripe", "workflows", "starter", "reconciliation"} & set(rooms.split())
    loaded = modules.split()
    assert "activities.sources.reading" in loaded
    assert not [
        name for name in loaded if name.startswith(("activities.postgres", "storage.claims", "storage.reports.store"))
    ]


async def test_a_wrong_file_is_logged_and_keeps_no_event_from_being_stored(
    system: System, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sources.toml"
    url = SecretStr(as_role(system.settings.need("database_url"), INGEST))
    given = system.settings.model_copy(update={"sources": path, "database_url": url})
    path.write_text('[[source]]\nname = "product"\n')
    await accept(system.db, [event("started", may(3), "wrong-file", attribution_id="team:events")])
    async with sources_worker(system.client, given):
        assert "until the file is corrected" in caplog.text
        assert "sources.toml: source 'product': kind" in caplog.text
        await until(partial(_stored, system))


async def _stored(system: System) -> bool:
    return await last_pending(system.db) is None


async def test_it_needs_a_database(system: System) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        async with sources_worker(system.client, product_settings.load(database_url=None)):
            pass


@pytest.mark.parametrize("role", [BILLING, OPERATOR, READER, API])
async def test_a_role_that_may_not_store_usage_is_named(system: System, tmp_path: Path, role: str) -> None:
    url = SecretStr(as_role(system.settings.need("database_url"), role))
    given = system.settings.model_copy(update={"sources": tmp_path / "sources.toml", "database_url": url})
    with pytest.raises(ForbiddenRoleError, match=f"{role}.*needs a member of {INGEST}"):
        async with sources_worker(system.client, given):
            pass
