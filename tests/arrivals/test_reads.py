"""Reading a database: each row counts once, and none is lost, however a read ends and whenever rows are committed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.arrivals.faults import waiting_faults
from storage.arrivals.intake import Intake
from storage.arrivals.sources import load_source
from storage.postgres.database import Database
from storage.usage.paging import store_page
from storage.usage.results import UpsertResult
from tests.arrivals.product import QUERY, ProductDatabase, may
from tests.arrivals.reading import fetch, known, read_once


async def test_rows_become_facts_and_the_cursor_moves(db: Database, product: ProductDatabase) -> None:
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


async def test_rows_that_are_committed_late_are_read_by_the_overlap(db: Database, product: ProductDatabase) -> None:
    other = await asyncpg.connect(product.url)
    try:
        await product.fill(5, may(2))
        late = other.transaction()
        await late.start()
        await product.write("late", may(2), updated=may(2).replace(second=2), connection=other)
        await read_once(db, product.source())
        assert "late" not in await known(db)
        await late.commit()
        report, state = await read_once(db, product.source())
        assert report.tally.new == 1
        assert "late" in await known(db)
        assert state.cursor == may(2).replace(second=4)
    finally:
        await other.close()


async def test_nothing_is_lost_of_what_is_committed_while_it_is_read(db: Database, product: ProductDatabase) -> None:
    """Writers commit in another order than their update times, while reads go on; in the end the sets are equal."""
    source = product.source(overlap=timedelta(seconds=30))
    done = asyncio.Event()

    async def write(number: int) -> None:
        connection = await asyncpg.connect(product.url)
        try:
            for n in range(40):
                async with connection.transaction():
                    await product.write(f"w{number}-{n}", may(2), updated=datetime.now(UTC), connection=connection)
                    await asyncio.sleep(0.01 * ((n + number) % 5))  # commits after others with a later time
        finally:
            await connection.close()

    async def keep_reading() -> None:
        while not done.is_set():
            await read_once(db, source)

    reading = asyncio.create_task(keep_reading())
    await asyncio.gather(*(write(number) for number in range(4)))
    done.set()
    await reading
    await read_once(db, source)
    written = {row["id"] for row in await product.connection.fetch("SELECT id FROM instance")}
    assert len(written) == 160
    assert await known(db) == written


async def test_a_read_that_dies_between_pages_goes_on_from_the_cursor(
    db: Database, product: ProductDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await product.fill(10, may(2))
    pages = 0

    async def dying(*page: Any) -> UpsertResult:
        nonlocal pages
        pages += 1
        result = await store_page(*page)
        if pages == 3:
            raise ConnectionError("killed before the commit")
        return result

    monkeypatch.setattr("storage.arrivals.intake.store_page", dying)
    with pytest.raises(ConnectionError):
        await read_once(db, product.source())
    state = await load_source(db, "product")
    assert (state.cursor, state.complete_up_to) == (may(2).replace(second=5), None)
    assert await known(db) == {f"i-{n}" for n in range(6)}
    monkeypatch.undo()
    report, state = await read_once(db, product.source(overlap=timedelta()))
    assert (report.tally.rows, report.tally.new) == (5, 4)
    assert await known(db) == {f"i-{n}" for n in range(10)}


async def test_equal_update_times_over_several_pages(db: Database, product: ProductDatabase) -> None:
    await product.fill(10, may(2), apart=timedelta())
    report, state = await read_once(db, product.source(overlap=timedelta()))
    assert (report.tally.new, state.cursor) == (10, may(2))
    assert (await read_once(db, product.source(overlap=timedelta())))[0].tally.rows == 10


async def test_rows_out_of_order_move_the_cursor_at_the_end_alone(db: Database, product: ProductDatabase) -> None:
    await product.fill(10, may(2))
    query = QUERY.replace("ORDER BY updated_at, id", "ORDER BY id DESC")
    seen: list[datetime | None] = []
    add_page = Intake.add_page

    async def spying(self: Intake, rows: Any, faults: Any, cursor: datetime | None) -> None:
        seen.append(cursor)
        await add_page(self, rows, faults, cursor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Intake, "add_page", spying)
        report, state = await read_once(db, product.source(query=query))
    assert seen == [None] * 4
    assert state.cursor == may(2).replace(second=9)
    assert "ORDER BY updated_at" in report.notes[0]


async def test_a_period_reads_from_its_start_again(db: Database, product: ProductDatabase) -> None:
    await product.fill(3, may(20))
    await read_once(db, product.source())
    await product.write("very-late", may(3), updated=may(3))
    assert (await read_once(db, product.source()))[0].tally.new == 0
    report, state = await read_once(db, product.source(), since=may(1))
    assert (report.tally.rows, report.tally.new) == (4, 1)
    assert state.cursor == may(20).replace(second=2)  # never back


async def test_another_query_is_read_from_the_beginning(db: Database, product: ProductDatabase) -> None:
    await product.fill(3, may(20))
    await product.write("b", may(2), updated=may(2), account="team:b")
    one = product.source(query=QUERY.replace("WHERE", "WHERE attribution_id = 'team:a' AND"))
    assert (await read_once(db, one))[0].tally.rows == 3
    assert (await read_once(db, product.source()))[0].tally.rows == 4


async def test_a_clock_that_is_ahead_does_not_move_the_cursor_past_the_present(
    db: Database, product: ProductDatabase
) -> None:
    now = datetime.now(UTC)
    await product.write("ahead", may(2), updated=now + timedelta(minutes=3))
    _, state = await read_once(db, product.source())
    assert state.cursor is not None
    assert state.cursor < now + timedelta(minutes=2)
    assert state.complete_up_to is not None
    assert state.complete_up_to < now


async def test_a_refused_row_waits_until_its_instance_is_taken(db: Database, product: ProductDatabase) -> None:
    await product.write("good", may(2), updated=may(2))
    await product.write("bad", datetime(1970, 1, 1, tzinfo=UTC), updated=may(2))
    report, state = await read_once(db, product.source())
    assert (report.tally.new, report.tally.refused, state.rows_refused, state.faults) == (1, 1, 1, 1)
    (fault,) = [fault async for fault in waiting_faults(db, "product", 10)]
    assert (fault.subject, fault.field) == ("bad", "started_time")
    await product.write("bad", may(3), updated=may(3))
    report, state = await read_once(db, product.source())
    assert (report.tally.new, state.faults) == (1, 0)


async def test_a_refused_row_that_is_gone_is_forgotten_by_a_read_of_everything(
    db: Database, product: ProductDatabase
) -> None:
    await product.write("good", may(2), updated=may(2))
    await product.write("bad", datetime(1970, 1, 1, tzinfo=UTC), updated=may(2))
    await read_once(db, product.source())
    await product.connection.execute("DELETE FROM instance WHERE id = 'bad'")
    assert (await read_once(db, product.source(overlap=timedelta())))[1].faults == 1
    assert (await read_once(db, product.source(), since=datetime(2000, 1, 1, tzinfo=UTC)))[1].faults == 0


async def test_rows_without_an_update_time_are_compared_before_any_is_stored(
    db: Database, product: ProductDatabase
) -> None:
    query = "SELECT id, attribution_id, workspace_class, started_time, stopping_time FROM instance"
    both = f"{query} UNION ALL SELECT id, 'team:b', workspace_class, started_time, NULL FROM instance WHERE id = 'i-1'"
    await product.fill(8, may(2))
    report, state = await read_once(db, product.source(query=both))
    assert (report.tally.new, report.tally.refused, state.faults, state.cursor) == (7, 2, 1, None)
    assert all(fault.endswith("let the source have only the right one") for fault in report.tally.faults)
    assert "i-1" not in await known(db)
    report, state = await read_once(db, product.source(query=query))
    assert (report.tally.rows, report.tally.new, state.faults) == (8, 1, 0)
    await product.write("i-2", may(2), may(3))
    assert (await read_once(db, product.source(query=query)))[0].tally.new == 1
    await product.write("i-2", may(2))  # the stop is lost on the way
    report, state = await read_once(db, product.source(query=query))
    assert (report.tally.new, report.tally.refused, state.faults) == (0, 1, 1)
    assert report.tally.faults[0].endswith("give the row its stop, or the source `reopen = true` in sources.toml")
    assert (await read_once(db, product.source(query=query, reopen=True)))[1].faults == 0


async def test_what_can_be_done_about_a_refused_row_is_what_its_source_can_do(
    db: Database, product: ProductDatabase
) -> None:
    query = "SELECT id, attribution_id, workspace_class, started_time, stopping_time FROM instance"
    await product.write("a", may(2))
    await product.write("b", may(2), updated=may(3))
    await read_once(db, product.source(query=query + " WHERE id = 'a'"))
    await read_once(db, product.source())
    await product.write("a", may(2), account="team:b")
    report, _ = await read_once(db, product.source(query=query))
    changed, untimed = sorted(report.tally.faults, key=lambda fault: fault[0])
    assert "a: attribution_id: " in changed
    assert "the source's rows an updated_at if it changed then" in changed
    assert untimed.endswith("give the source's rows an updated_at")
    assert not [word for word in ("--as-of", "--reopen", "in the file") if word in changed + untimed]
