"""Requests that arrive at the same time share a transaction, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from starter.api.storing import Storing
from storage.postgres.database import Database, DatabaseUnavailableError
from tests.api.sending import event
from tests.storage.usage import fetch, may
from tests.support.until import until


async def test_requests_gather_while_a_transaction_runs(db: Database, api: Database) -> None:
    storing = Storing(api)
    sent = [[event("started", may(2), f"i{number}", id=str(number))] for number in range(20)]
    again = [event("started", may(2), "i7", id="7")]
    outcomes = await asyncio.gather(*(storing.store(each) for each in [*sent, again]), storing.store([]))
    assert outcomes == [["accepted"]] * 20 + [["known"], []]
    transactions = await fetch(db, "SELECT DISTINCT xmin::text FROM pending_fact")
    assert len(transactions) == 1


async def test_a_request_that_the_database_refuses_fails_alone(db: Database, api: Database) -> None:
    storing = Storing(api)
    bad = event("started", may(2), "bad")
    bad = replace(bad, fact=replace(bad.fact, content="\0"))
    good = [storing.store([event("started", may(2), name)]) for name in ("a", "b")]
    first, failed, last = await asyncio.gather(good[0], storing.store([bad]), good[1], return_exceptions=True)
    assert (first, last) == (["accepted"], ["accepted"])
    assert isinstance(failed, DBAPIError)
    assert len(await fetch(db, "SELECT 1 FROM pending_fact")) == 2


async def test_who_does_not_wait_stops_no_other(db: Database, api: Database) -> None:
    storing = Storing(api)
    one, other = (asyncio.create_task(storing.store([event("started", may(2), name)])) for name in ("a", "b"))
    await asyncio.sleep(0)
    one.cancel()
    assert await other == ["accepted"]
    assert await storing.store([event("started", may(2), "c")]) == ["accepted"]


async def test_requests_whose_senders_have_gone_do_not_pile_up(db: Database, api: Database) -> None:
    """A database that hangs answers nobody in time, and each sender sends again."""
    storing = Storing(api)
    async with db.transaction() as connection:
        await connection.execute(text("LOCK TABLE received_event"))
        held = asyncio.create_task(storing.store([event("started", may(2), "a")]))

        async def hangs() -> bool:
            return bool(await fetch(db, "SELECT 1 FROM pg_locks WHERE NOT granted"))

        await until(hangs)
        for number in range(50):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(storing.store([event("started", may(2), f"late{number}")]), 0.01)
    assert await held == ["accepted"]
    await storing.store([event("started", may(2), "b")])
    assert [row.instance_id for row in await fetch(db, "SELECT instance_id FROM pending_fact ORDER BY 1")] == ["a", "b"]


async def test_while_the_database_is_away_all_fail() -> None:
    storing = Storing(Database("postgresql://perdure_api:x@127.0.0.1:1/perdure"))
    for _ in range(2):
        failed = await asyncio.gather(
            *(storing.store([event("started", may(2))]) for _ in range(3)), return_exceptions=True
        )
        assert [type(each) for each in failed] == [DatabaseUnavailableError] * 3
    with pytest.raises(DatabaseUnavailableError):
        await storing.store([event("started", may(2))])
