"""A source is read again and again, fails and returns, and its workflow says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.arrivals.sources import load_source
from temporal.sources import end_source, start_sources
from tests.arrivals.product import Product, may
from tests.e2e.sources.asking import configure, details, sync
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits


@pytest.mark.history("source-read")
async def test_it_is_read_when_somebody_asks(system: System, product: Product, tmp_path: Path) -> None:
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
async def test_it_fails_visibly_and_goes_on(system: System, product: Product, tmp_path: Path) -> None:
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
    assert await end_source(system.client, "product")
