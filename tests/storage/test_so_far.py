"""The estimate of what the present period costs so far."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.periods.published import publish
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from storage.totals import so_far
from storage.totals.so_far import SoFar, usage_so_far
from tests.storage.audits import CARD
from tests.storage.usage import add_account, add_instances, execute, fetch, instance, may
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role


async def _usage(db: Database) -> None:
    await publish(db, "billing", CARD, {})
    await add_account(db)
    await add_account(db, "team:j", (may(3), may(4)), currency="jpy")
    await add_instances(
        db,
        instance("before", may(-3), may(0.5)),
        instance("running", may(0), None),
        instance("odd", may(2), None, workspace_class="h100"),
        instance("j", may(2), may(20), attribution_id="team:j", quantity=2),
    )


@pytest.fixture
async def reader(db: Database, module_database: FreshDatabase) -> AsyncIterator[Database]:
    """The database as the console sees it."""
    database = Database(as_role(module_database.urls[0], CONSOLE))
    yield database
    await database.close()


async def test_few_instances_are_read_as_a_whole(db: Database, reader: Database) -> None:
    """Ten days of `running`; of `j` the day of its window, twice; nothing of a class without a rate."""
    await _usage(db)
    await execute(db, "ANALYZE workspace_instance")
    found = await usage_so_far(reader, may(1), may(11))
    assert found == [SoFar("jpy", round(2 * 1440 * 0.1666666667 * 4.7), 0), SoFar("usd", 8640, 0)]
    assert await usage_so_far(db, may(31), may(31)) == []
    assert await usage_so_far(db, may(1), may(11), bill_after=may(6)) == [SoFar("usd", 4320, 0)]


async def test_many_instances_are_sampled(db: Database, reader: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact amount is within four standard errors, and the error is some percent; PostgreSQL's count is old."""
    await _usage(db)
    await execute(db, "ANALYZE workspace_instance")
    await execute(
        db,
        "INSERT INTO workspace_instance"
        " (id, attribution_id, workspace_class, creation_time, started_time, stopping_time)"
        " SELECT 'i-' || n, 'team:a', 'default', CAST(:at AS timestamptz), CAST(:at AS timestamptz),"
        " CAST(:at AS timestamptz) + (1 + hashtext(CAST(n AS text)) % 97 / 100.0) * interval '2 hours'"
        " FROM generate_series(1, 20000) AS n",
        at=may(5),
    )
    monkeypatch.setattr(so_far, "_PAGES", 10**6)
    exact = {each.currency: each.amount for each in await usage_so_far(db, may(1), may(11))}
    [[pages]] = await fetch(db, "SELECT pg_relation_size('workspace_instance') / 8192")
    assert pages > 150
    monkeypatch.undo()
    sampled = {each.currency: each for each in await usage_so_far(reader, may(1), may(11))}
    usd = sampled["usd"]
    assert 0 < usd.error < exact["usd"] // 10
    assert abs(usd.amount - exact["usd"]) < 4 * usd.error
