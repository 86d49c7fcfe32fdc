"""What stands around the seeded months: schedules, of which one is paused, and sources, of which one fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from contracts import workflow_ids
from contracts.messages.sources import SourceInput
from temporal.schedules import pause_schedule, set_audit_schedule, set_catch_up_schedule, set_schedule
from tests.e2e.sources.asking import sync
from tests.support.system import System

SOURCES = """
[[source]]
name = "product"
kind = "sql"
url = "sqlite:///product.db"
query = "SELECT id, attribution_id, started_time, stopped_time FROM instance WHERE updated_at >= :since"

[[source]]
name = "lake"
kind = "files"
url = "exports"
lag = "26h"
"""


async def add_schedules(system: System) -> None:
    """Set the schedules. That of the catch-up is paused, so that nothing starts while pages are open."""
    await set_schedule(system.client, "UTC", timedelta(hours=6))
    await set_audit_schedule(system.client)
    await set_catch_up_schedule(system.client, timedelta(hours=12))
    await pause_schedule(system.client, "Stripe's maintenance", workflow_ids.CATCH_UP_SCHEDULE)


async def add_sources(system: System, folder: Path) -> None:
    """Read a database, and a folder that is not there."""
    with closing(sqlite3.connect(folder / "product.db")) as product:
        product.execute("CREATE TABLE instance (id, attribution_id, started_time, stopped_time, updated_at)")
    path = folder / "sources.toml"
    path.write_text(SOURCES)
    system.settings = system.settings.model_copy(update={"sources": path})
    await system.start("sources")
    for name in ("product", "lake"):
        await sync(system, SourceInput(name=name, every=timedelta(days=1)), "seeding")
