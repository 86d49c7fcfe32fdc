"""The shared fixtures do what `conftest.py` says."""

from __future__ import annotations

import os
from datetime import timedelta
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import TimeSkipper
from temporalio.worker import Worker

import settings
from tests.support.databases import FreshDatabase


# Not in the sandbox, which would import this module and asyncpg a second time and crash.
@workflow.defn(name="Sleeper", sandboxed=False)
class Sleeper:
    @workflow.run
    async def run(self, days: int) -> int:
        await workflow.sleep(timedelta(days=days))
        return days


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE EXTENSION btree_gist; CREATE TABLE filled (id int)")
    await connection.close()


async def test_databases_are_empty_or_copies(fresh_database: FreshDatabase) -> None:
    empty, copy, other = await fresh_database(), await fresh_database(_fill), await fresh_database(_fill)
    assert len({empty, copy, other}) == 3
    for url, tables in ((empty, 0), (copy, 1), (other, 1)):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == tables
        await connection.execute("CREATE TABLE mine (id int)")
        await connection.close()


@pytest.mark.waits
async def test_a_month_passes_at_once(time_skipper: TimeSkipper) -> None:
    queue = f"test-{uuid4()}"
    async with Worker(time_skipper.client, task_queue=queue, workflows=[Sleeper]):
        assert await time_skipper.client.execute_workflow(Sleeper.run, 31, id=queue, task_queue=queue) == 31


async def test_search_attributes_are_there(temporal_client: Client) -> None:
    found = temporal_client.list_workflows('InvoiceState = "blocked" AND BillingPeriod = "2022-05"')
    assert [w async for w in found] == []


def test_nothing_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().database_url is None
    assert not [name for name in os.environ if name.startswith("STRIPE_")]
