"""Corrections in Postgres: what is cut and priced again comes to what is known now, to the cent, and once."""

from __future__ import annotations

from storage.postgres.database import Database
from tests.storage.corrections.correcting import KEY, bill, claims, correct, misbilled, notes, plan
from tests.storage.usage import DAY, add_account, add_instances, card, instance, may


async def test_a_stop_that_was_late_is_credited_once(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(15)))
    await add_instances(db, instance("a", may(15), may(16)))
    assert await misbilled(db) == ["outside_runtime"]
    planned = await plan(db)
    assert (planned.owed.billed, planned.amount, planned.offset.net) == (17 * DAY, DAY, -16 * DAY)
    assert await correct(db) is not None
    assert [(note.key, note.amount, note.parts) for note in await notes(db)] == [
        (f"{KEY}/credit/correction-1", 16 * DAY, {1: 16 * DAY})
    ]
    assert await claims(db) == [("a", may(15), may(16), None, None)]
    assert await misbilled(db) == []
    assert await correct(db) is None
    assert len(await notes(db)) == 1
