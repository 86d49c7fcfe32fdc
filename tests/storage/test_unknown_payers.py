"""Rows without a time that give an account to an instance without one: it pays for all that nobody was billed for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.usage.rows import InstanceRow
from storage.claims.claims import claim_page
from storage.periods.periods import write_summary
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances
from tests.storage.usage import add_account, add_instances, card, claimed, fetch, instance, june, may, scope

FIRST = instance("i", may(2), may(3), attribution_id=None)
SECOND = instance("i", may(5), may(6), attribution_id=None)
THIRD = instance("i", may(8), attribution_id=None)


async def payers(db: Database) -> list[tuple[object, ...]]:
    query = "SELECT lower(during), upper(during), attribution_id FROM instance_segment WHERE fault IS NULL ORDER BY 1"
    return [tuple(row) for row in await fetch(db, query)]


@pytest.mark.parametrize("runs", [[FIRST], [FIRST, SECOND], [FIRST, SECOND, THIRD]], ids=["one", "two", "three"])
async def test_an_account_that_becomes_known_pays_for_the_whole_time(db: Database, runs: list[InstanceRow]) -> None:
    await add_account(db)
    for row in runs:
        await add_instances(db, row)
    await claim_page(db, scope(), card())
    assert await claimed(db) == []
    result = await upsert_instances(db, [replace(runs[-1], attribution_id="team:a")])
    assert (result.updated, result.faults, result.misbilled) == (1, [], {})
    assert await payers(db) == [(row.started_time, row.stopping_time, "team:a") for row in runs]
    await claim_page(db, june(), card())
    assert await claimed(db) == [("i", row.started_time, row.stopping_time or may(62)) for row in runs]


async def test_runs_of_another_account_stay_with_it(db: Database) -> None:
    await add_account(db)
    await add_instances(db, replace(FIRST, attribution_id="team:b"))
    await add_instances(db, SECOND)
    await add_instances(db, THIRD)
    await add_instances(db, replace(THIRD, attribution_id="team:a", stopping_time=may(9)))
    known = [(may(2), may(3), "team:b"), (may(5), may(6), "team:a"), (may(8), may(9), "team:a")]
    assert await payers(db) == known
    [fault] = (await upsert_instances(db, [replace(THIRD, attribution_id="team:b", stopping_time=may(10))])).faults
    assert fault.reason.startswith("i is known with attribution_id team:a, not team:b: the rest of the row is taken")
    assert await payers(db) == [*known[:2], (may(8), may(10), "team:a")]


async def test_what_was_billed_of_another_run_does_not_keep_the_account_unknown(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await add_instances(db, replace(FIRST, attribution_id="team:b"))
    await add_instances(db, SECOND)
    await claim_page(db, scope(), card())
    await add_instances(db, replace(SECOND, attribution_id="team:a"))
    await claim_page(db, june(), card())
    assert await payers(db) == [(may(2), may(3), "team:b"), (may(5), may(6), "team:a")]
    assert await claimed(db) == [("i", may(2), may(3)), ("i", may(5), may(6))]


async def test_another_run_of_a_known_account_leaves_the_earlier_one_without(db: Database) -> None:
    await add_account(db)
    await add_instances(db, FIRST)
    await add_instances(db, replace(SECOND, attribution_id="team:a"))
    assert await payers(db) == [(may(2), may(3), None), (may(5), may(6), "team:a")]


async def test_what_nobody_will_be_billed_for_is_not_kept_as_reopened(db: Database) -> None:
    """An account's is: its next claim takes it away. A payer that becomes an account later pays nonetheless."""
    await add_account(db)
    reopened = "SELECT attribution_id FROM reopened_usage ORDER BY 1"
    await add_instances(db, instance("known", may(2), may(3)))
    await add_instances(db, instance("unknown", may(2), may(3), attribution_id="team:x"))
    assert [tuple(row) for row in await fetch(db, reopened)] == [("team:a",), ("team:x",)]
    await write_summary(db, "2022-05", {})
    assert [tuple(row) for row in await fetch(db, reopened)] == [("team:a",)]
    await add_account(db, "team:x")
    await claim_page(db, june(), card())
    assert {each[0] for each in await claimed(db)} == {"known", "unknown"}
