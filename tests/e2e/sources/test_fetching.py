"""A period fetches its usage first. It waits for a source that fails, and bills without it if a person says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from billing.invoice.states import InvoiceState
from contracts import retries, workflow_ids
from contracts.messages.sources import FetchState
from contracts.names import Queries
from starter.cli.sources.running import keep_sources
from storage.postgres.roles import OPERATOR
from temporal.decisions import DecisionError, go_without_source
from temporal.sources import end_source
from tests.arrivals.product import ProductDatabase, may
from tests.e2e.sources.asking import configure
from tests.support.months import MAY
from tests.support.roles import as_role
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.waits


async def fetching(handle: WorkflowHandle[Any, Any]) -> FetchState:
    found: FetchState = await handle.query(Queries.FETCH, result_type=FetchState)
    return found


async def shown(handle: WorkflowHandle[Any, Any]) -> str:
    """Return what the Temporal UI shows."""
    return str(await handle.query("__temporal_workflow_metadata"))


async def states(handle: WorkflowHandle[Any, Any]) -> dict[str, str]:
    return {source.name: source.state for source in (await fetching(handle)).sources}


@pytest.mark.history("fetched")
async def test_a_period_bills_what_it_fetched(system: System, product: ProductDatabase, tmp_path: Path) -> None:
    configure(system, tmp_path, product)
    await system.add_account("team:fetched", ("2022-05-01", None))
    await product.write("i-1", may(3), may(4), may(4), account="team:fetched")
    await product.write("i-2", may(5), may(6), may(6), account="team:fetched")
    await system.start("sources")
    handle = await system.start_period(MAY)
    result = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert result.progress.counts == {"billed": 1}
    assert (await system.invoice(f"{MAY}/team:fetched/period")).amount == 1728  # 2 days
    (source,) = (await fetching(handle)).sources
    assert source.read is not None
    assert (source.state, source.read.rows, source.read.new) == ("read", 2, 2)
    assert "`product`: 2 rows, 2 new, 0 stale, 0 refused, complete up to" in await shown(handle)
    await end_source(system.client, "product")


@pytest.mark.history("fetch-held")
async def test_a_source_that_fails_holds_the_period_until_it_returns(
    system: System, product: ProductDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FETCH_PATIENCE", timedelta(seconds=2))
    monkeypatch.setattr(retries, "SOURCE_RETRIED_AFTER", timedelta(seconds=1))
    configure(system, tmp_path, product)
    await system.add_account("team:held", ("2022-05-01", None))
    await product.write("i-1", may(3), may(4), may(4), account="team:held")
    await product.connection.execute("ALTER TABLE instance RENAME TO away")
    await system.start("sources")
    handle = await system.start_period(MAY)

    async def held() -> bool:
        return bool(await handle.query(Queries.PHASE, result_type=str) == "held")

    await until(held)
    assert (await fetching(handle)).held == ["product"]
    text = await shown(handle)
    assert "**Held** by `product`" in text
    assert "--without-source product" in text
    assert "instance" in text  # what the database says
    assert await system.invoices() == []
    await product.connection.execute("ALTER TABLE away RENAME TO instance")
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(f"{MAY}/team:held/period")).state is InvoiceState.BILLED
    await end_source(system.client, "product")


@pytest.mark.history("fetch-skipped")
async def test_a_person_can_bill_without_a_source(system: System, product: ProductDatabase, tmp_path: Path) -> None:
    configure(system, tmp_path, product)
    await system.add_account("team:skipped", ("2022-05-01", None))
    await system.add_instance("known", "team:skipped", "2022-05-03", "2022-05-04")
    await product.write("i-1", may(3), may(4), may(4), account="team:skipped")
    await product.connection.execute("ALTER TABLE instance RENAME TO away")
    await system.start("sources")
    handle = await system.start_period(MAY)

    async def failing() -> bool:
        return await states(handle) == {"product": "failing"}

    await until(failing)
    with pytest.raises(DecisionError, match="does not wait for other: it waits for product"):
        await go_without_source(system.client, MAY, None, "other", "ann")
    await go_without_source(system.client, MAY, None, "product", "ann")
    result = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert result.without_sources == ["product"]
    assert (await system.invoice(f"{MAY}/team:skipped/period")).amount == 864
    with pytest.raises(DecisionError):  # nothing waits any more
        await go_without_source(system.client, MAY, None, "product", "ann")
    # What the source reports later is billed by a later run.
    await product.connection.execute("ALTER TABLE away RENAME TO instance")
    await system.run_period("2022-06")
    assert (await system.invoice("2022-06/team:skipped/period")).amount == 864
    await end_source(system.client, "product")


async def test_a_source_that_is_removed_holds_no_period(
    system: System, product: ProductDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "SOURCE_RETRIED_AFTER", timedelta(seconds=1))
    configure(system, tmp_path, product)
    await system.add_account("team:removed", ("2022-05-01", None))
    await system.add_instance("known", "team:removed", "2022-05-03", "2022-05-04")
    await product.connection.execute("ALTER TABLE instance RENAME TO away")
    await system.start("sources")
    handle = await system.start_period(MAY)

    async def failing() -> bool:
        return await states(handle) == {"product": "failing"}

    await until(failing)
    system.settings.sources.write_text("")
    own = {"database_url": as_role(system.settings.need("database_url"), OPERATOR)}
    assert (await keep_sources(system.settings.model_copy(update=own), system.client)).ended == ["product"]
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert await states(handle) == {"product": "removed"}
    assert "`product`: no longer in use" in await shown(handle)
    assert (await system.invoice(f"{MAY}/team:removed/period")).amount == 864
    running = [each.id async for each in system.client.list_workflows("ExecutionStatus='Running'")]
    assert workflow_ids.source("product") not in running


async def test_a_run_that_is_asked_again_while_it_fetches_runs_again(
    system: System, product: ProductDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "SOURCE_RETRIED_AFTER", timedelta(seconds=1))
    configure(system, tmp_path, product)
    await system.add_account("team:again", ("2022-05-01", None))
    await product.write("i-1", may(3), may(4), may(4), account="team:again")
    await product.connection.execute("ALTER TABLE instance RENAME TO away")
    await system.start("sources")
    handle = await system.start_period(MAY)

    async def failing() -> bool:
        return await states(handle) == {"product": "failing"}

    await until(failing)
    await system.start_period(MAY)
    await product.connection.execute("ALTER TABLE away RENAME TO instance")
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    planned = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert planned.count("plan_pages") == 2
    assert planned.count("sync_source") >= 3  # failed, succeeded, and again
    await end_source(system.client, "product")


async def test_a_source_is_not_read_before_it_can_be_complete(
    system: System, product: ProductDatabase, tmp_path: Path
) -> None:
    """A nightly export of a month that ended yesterday is awaited, and the run says until when."""
    configure(system, tmp_path, product)
    path = system.settings.sources
    path.write_text(path.read_text() + "\nlag = '40000d'\n")
    await system.add_account("team:due", ("2022-05-01", None))
    await system.start("sources")
    handle = await system.start_period(MAY)

    async def due() -> bool:
        return await states(handle) == {"product": "due"}

    await until(due)
    assert (await fetching(handle)).held == []
    expected = datetime(2022, 6, 1, tzinfo=UTC) + timedelta(days=40000)
    assert f"not read before {expected:%Y-%m-%d}" in await shown(handle)
    await handle.terminate()
    assert workflow_ids.source("product") not in [
        each.id async for each in system.client.list_workflows("ExecutionStatus='Running'")
    ]
