"""A query that returns all running instances: whatever it no longer returns gives no more signs, and is a warning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.sources.catalog import SourceCatalog
from billing.errors import InputError
from billing.usage.rows import ImportOptions, InstanceRow
from billing.usage.warnings import WarningKind
from sources.config import SqlSource
from storage.arrivals.sources import remove_sources
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances
from storage.usage.paging import store_page
from storage.usage.results import UpsertResult
from storage.warnings.usage import SuspectScope, suspects
from tests.arrivals.product import ProductDatabase, may
from tests.arrivals.reading import fetch, read_once

COLUMNS = "id, attribution_id, workspace_class, started_time, stopping_time"
RUNNING = "FROM instance WHERE stopping_time IS NULL ORDER BY id"
TIMED = f"SELECT {COLUMNS}, updated_at {RUNNING}"
UNTIMED = f"SELECT {COLUMNS} {RUNNING}"


def snapshot(product: ProductDatabase, query: str = TIMED, **changes: Any) -> SqlSource:
    return product.source(query=query, snapshot=True, stale_after=timedelta(hours=1), **changes)


async def signs(db: Database) -> dict[str, datetime | None]:
    return {
        row.instance_id: row.last_sign for row in await fetch(db, "SELECT instance_id, last_sign FROM instance_segment")
    }


async def absent(owner: Database) -> dict[str, datetime | None]:
    found = await suspects(owner, SuspectScope(datetime.now(UTC)), 10)
    return {each.subject: each.since for each in found if each.kind == WarningKind.ABSENT}


@pytest.mark.parametrize("query", [TIMED, UNTIMED])
async def test_each_read_is_a_sign_of_what_it_returns(
    db: Database, owner: Database, product: ProductDatabase, query: str
) -> None:
    source = snapshot(product, query)
    await product.fill(5, may(2))
    before = datetime.now(UTC)
    await read_once(db, source)
    first = await signs(db)
    assert set(first) == {f"i-{n}" for n in range(5)}
    (at,) = set(first.values())
    assert at is not None
    assert before - timedelta(minutes=1) < at <= datetime.now(UTC)
    assert await absent(owner) == {}

    await product.connection.execute("DELETE FROM instance WHERE id = 'i-3'")
    report, state = await read_once(db, source)
    assert (report.tally.new, report.tally.refused) == (0, 0), "a sign changes no row"
    second = await signs(db)
    assert second.pop("i-3") == at
    (later,) = set(second.values())
    assert later is not None
    assert later > at
    assert (state.snapshot_at, state.stale_after) == (later, timedelta(hours=1))
    assert await absent(owner) == {"i-3": at}
    stops = await fetch(db, "SELECT count(*) FROM workspace_instance WHERE stopping_time IS NOT NULL")
    assert stops[0][0] == 0, "an absent instance is not stopped"

    await product.write("i-3", may(2), updated=may(2).replace(second=3))
    await read_once(db, source)
    assert await absent(owner) == {}
    assert len(set((await signs(db)).values())) == 1


def test_a_query_of_changes_is_no_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    query = "SELECT 1 WHERE updated_at >= :since"
    path.write_text(f'[[source]]\nname = "p"\nkind = "sql"\nurl = "p.db"\nquery = "{query}"\nsnapshot = true\n')
    with pytest.raises(InputError, match=r"source 'p': snapshot: .* leave :since out of it"):
        SourceCatalog(path).sources()


async def test_a_read_that_ends_early_is_no_sign(
    db: Database, owner: Database, product: ProductDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = snapshot(product)
    await product.fill(8, may(2))
    await read_once(db, source)
    before = await signs(db)
    pages = 0

    async def dying(*page: Any) -> UpsertResult:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise ConnectionError("killed")
        return await store_page(*page)

    monkeypatch.setattr("storage.arrivals.intake.store_page", dying)
    with pytest.raises(ConnectionError):
        await read_once(db, source)
    assert await signs(db) == before
    assert await absent(owner) == {}
    monkeypatch.undo()
    await read_once(db, source)
    assert set((await signs(db)).values()).isdisjoint(before.values())


async def test_a_refused_row_is_a_sign_too(db: Database, owner: Database, product: ProductDatabase) -> None:
    source = snapshot(product)
    await product.fill(2, may(2))
    await read_once(db, source)
    await product.write("i-1", datetime(1970, 1, 1, tzinfo=UTC), updated=may(3))
    report, _ = await read_once(db, source)
    assert report.tally.refused == 1
    assert await absent(owner) == {}
    assert len(set((await signs(db)).values())) == 1


async def test_who_has_stopped_is_not_missed(db: Database, owner: Database, product: ProductDatabase) -> None:
    await product.fill(2, may(2))
    await read_once(db, snapshot(product, query=TIMED.replace("WHERE stopping_time IS NULL", "")))
    await product.write("i-1", may(2), may(3), may(3))
    await read_once(db, snapshot(product, query=TIMED.replace("WHERE stopping_time IS NULL", "")))
    await product.connection.execute("DELETE FROM instance WHERE id = 'i-1'")
    await read_once(db, snapshot(product))
    assert await absent(owner) == {}


async def test_a_later_sign_of_another_source_counts(db: Database, owner: Database, product: ProductDatabase) -> None:
    await product.fill(2, may(2))
    await read_once(db, snapshot(product))
    await product.connection.execute("DELETE FROM instance WHERE id = 'i-1'")
    await read_once(db, snapshot(product))
    assert list(await absent(owner)) == ["i-1"]
    alive = InstanceRow(1, "i-1", "team:a", started_time=may(2), updated_at=datetime.now(UTC))
    await upsert_instances(db, [alive], ImportOptions(source="shop"))
    assert await absent(owner) == {}


async def test_only_a_snapshot_misses_anything(db: Database, owner: Database, product: ProductDatabase) -> None:
    await product.fill(2, may(2))
    await read_once(db, product.source(query=TIMED))
    await product.connection.execute("DELETE FROM instance WHERE id = 'i-1'")
    await read_once(db, product.source(query=TIMED))
    assert await absent(owner) == {}
    await read_once(db, snapshot(product))
    assert await absent(owner) == {"i-1": may(2).replace(second=1)}, "it was known from reads before"
    await read_once(db, product.source(query=TIMED))
    assert await absent(owner) == {}, "the source says no longer that it has all"
    await read_once(db, snapshot(product))
    await remove_sources(db, ["product"])
    assert await absent(owner) == {}


async def test_rows_without_an_update_time_stay_such_rows(db: Database, product: ProductDatabase) -> None:
    source = snapshot(product, UNTIMED)
    await product.fill(2, may(2))
    await read_once(db, source)
    await read_once(db, source)
    await product.connection.execute("UPDATE instance SET started_time = $1 WHERE id = 'i-1'", may(1))
    report, _ = await read_once(db, source)
    assert (report.tally.new, report.tally.refused) == (1, 0)
    assert (await fetch(db, "SELECT count(*) FROM usage_fact"))[0][0] == 0
