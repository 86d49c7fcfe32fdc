"""Reading a source once, as the activity does, in small pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from activities.sources.catalog import AnySource, terms_of
from activities.sources.reads import ReadReport, read
from storage.arrivals.sources import SourceState, load_source, register_sources
from storage.postgres.database import Database


async def fetch(db: Database, query: str) -> list[Any]:
    """Return the rows of a query of our database."""
    async with db.transaction() as connection:
        return list(await connection.execute(text(query)))


async def read_once(
    db: Database, source: AnySource, since: datetime | None = None, page_size: int = 3
) -> tuple[ReadReport, SourceState]:
    """Read a source that is registered by this. Returns the report, and the source as it is recorded then."""
    await register_sources(db, terms_of([source]))
    report = await read(db, source, since, datetime.now(UTC), page_size)
    return report, await load_source(db, source.name)


async def known(db: Database) -> set[str]:
    """Return the ids of all instances."""
    return {row.id for row in await fetch(db, "SELECT id FROM workspace_instance")}
