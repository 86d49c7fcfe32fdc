"""Reading a database: each row counts once, and none is lost, however a read ends and whenever rows are committed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from activities.sources.catalog import AnySource, terms_of
from activities.sources.reads import ReadReport, read
from storage.arrivals.sources import SourceState, load_source, register_sources
from storage.postgres.database import Database
from tests.arrivals.product import Product, may


async def fetch(db: Database, query: str) -> list[Any]:
    async with db.transaction() as connection:
        return list(await connection.execute(text(query)))


async def read_once(
    db: Database, source: AnySource, since: datetime | None = None, page_size: int = 3
) -> tuple[ReadReport, SourceState]:
    await register_sources(db, terms_of([source]))
    report = await read(db, source, since, datetime.now(UTC), page_size)
    return report, await load_source(db, source.name)


async def known(db: Database) -> set[str]:
    return {row.id for row in await fetch(db, "SELECT id FROM workspace_instance")}


async def test_rows_become_facts_and_the_cursor_moves(db: Database, product: Product) -> None:
    await product.fill(8, may(2))
    report, state = await read_once(db, product.source())
    assert (report.tally.rows, report.tally.new, report.tally.refused) == (8, 8, 0)
    assert report.notes == []
    assert state.cursor == may(2).replace(second=7)
    assert (state.rows_read, state.error, state.failing_since) == (8, None, None)
    assert await known(db) == {f"i-{n}" for n in range(8)}
    await product.write("i-3", may(2), may(3), may(3))
    report, state = await read_once(db, product.source())
    assert (report.tally.rows, report.tally.new) == (9 - 1, 1)  # the overlap, of which one has changed
    assert state.cursor == may(3)
    (row,) = await fetch(db, "SELECT stopping_time FROM workspace_instance WHERE id = 'i-3'")
    assert row.stopping_time == may(3)
