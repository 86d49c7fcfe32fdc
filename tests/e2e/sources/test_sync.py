"""A source is read again and again, fails and returns, and its workflow says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts import retries, workflow_ids
from storage.arrivals.sources import load_source
from temporal.sources import end_source, start_sources
from tests.arrivals.product import ProductDatabase, may
from tests.e2e.sources.asking import configure, details, sync
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits


@pytest.mark.history("source-read")
async def test_it_is_read_when_somebody_asks(system: System, product: ProductDatabase, tmp_path: Path) -> None:
    source = configure(system, tmp_path, product)
    await product.fill(3, may(2))
    await system.start("sources")
    first = await sync(system, source, "1")
    assert (first.rows, first.new, first.error) == (3, 3, None)
    assert first.complete_up_to is not None
    assert await sync(system, source, "1") == first  # the same request asks once
    await product.write("i-1", may(2), may(3), may(3))
    second = await sync(system, source, "2")
    assert (second.rows, second.new) == (3, 1)
    assert "Complete up to" in await details(system)
    await end_source(system.client, "product")


@pytest.mark.history("source-failing")
async def test_it_fails_visibly_and_goes_on(
    system: System, product: ProductDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "perdure.sources")
    source = configure(system, tmp_path, product, every="1s")
    await product.fill(3, may(2))
    await product.connection.execute("ALTER TABLE instance RENAME TO away")
    await system.start("sources")
    await start_sources(system.client, [source])
    first = await sync(system, source, "1")
    again = await sync(system, source, "2")
    assert first.error is not None
    assert "instance" in first.error
    assert first.error == again.error
    assert first.failing_since == again.failing_since  # the first failure
    assert first.complete_up_to is None
    assert "Failing" in await details(system)
    state = await load_source(system.db, "product")
    assert (state.error, state.failing_since) == (first.error, first.failing_since)
    await product.connection.execute("ALTER TABLE away RENAME TO instance")

    async def recovered() -> bool:
        return (await load_source(system.db, "product")).error is None

    await until(recovered)  # nobody asked
    state = await load_source(system.db, "product")
    assert (state.rows_read, state.failing_since) == (3, None)
    said = [record.message for record in caplog.records if vars(record).get("source") == "product"]
    assert said[:3] == ["source failing", "source recovered", "source read"]  # it failed twice or more
    assert await end_source(system.client, "product")


async def test_a_source_that_is_down_is_tried_again_at_once_and_then_shown(
    system: System, product: ProductDatabase, tmp_path: Path
) -> None:
    source = configure(system, tmp_path, product)
    (tmp_path / "product.url").write_text("postgresql://reader:s3cret-password@127.0.0.1:1/product")
    await system.start("sources")
    read = await sync(system, source, "1")
    assert read.error is not None
    assert "cannot connect" in read.error
    assert "s3cret-password" not in read.error
    handle = system.client.get_workflow_handle(workflow_ids.source("product"))
    history = (await handle.fetch_history()).to_json()
    assert "s3cret-password" not in history
    started = [event for event in json.loads(history)["events"] if "activityTaskStartedEventAttributes" in event]
    assert started[-1]["activityTaskStartedEventAttributes"]["attempt"] == retries.SOURCE_READ.maximum_attempts
    assert "s3cret-password" not in await details(system)
    (tmp_path / "product.url").write_text(product.url)
    await product.fill(2, may(2))
    back = await sync(system, source, "2")
    assert (back.rows, back.error) == (2, None)
    await end_source(system.client, "product")


async def test_a_query_that_hangs_ends_when_its_source_is_ended(
    system: System, product: ProductDatabase, tmp_path: Path
) -> None:
    source = configure(system, tmp_path, product)
    path = tmp_path / "sources.toml"
    path.write_text(path.read_text().replace("FROM instance WHERE", "FROM instance, pg_sleep(600) WHERE"))
    await product.fill(1, may(2))
    await system.start("sources")
    await start_sources(system.client, [source])
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'perdure' AND wait_event = 'PgSleep'"

    async def hangs() -> bool:
        return bool(await product.connection.fetchval(sleeping))

    async def ended() -> bool:
        return not await product.connection.fetchval(sleeping)

    await until(hangs)
    await end_source(system.client, "product")
    await until(ended)
