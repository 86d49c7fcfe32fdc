"""The ids of events are forgotten after 90 days; the events themselves still count once."""

from __future__ import annotations

import asyncio

from activities.sources.forgetting import forget_forever
from storage.arrivals.details import accept_details, forget_waiting
from storage.arrivals.events import accept, forget_ids
from storage.postgres.database import Database
from tests.api.accounts import add, details, faults, known, store
from tests.api.sending import event, fold_everything, segments
from tests.storage.usage import execute, fetch, may
from tests.support.until import until

RUN = [
    event("started", may(2), id="1", attribution_id="team:a"),
    event("stopped", may(3), id="2"),
    event("started", may(4), "other", id="3", attribution_id="team:a"),
]


async def _age(db: Database, *ids: str) -> None:
    given = ", ".join(f"'{each}'" for each in ids)
    await execute(db, f"UPDATE received_event SET received_at = now() - interval '90 days 1 s' WHERE id IN ({given})")


async def test_ids_are_forgotten_after_90_days_and_no_earlier(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, RUN)
    await _age(db, "1", "2")
    assert [await forget_ids(ingest, 1) for _ in range(3)] == [1, 1, 0]
    assert await fetch(db, "SELECT id FROM received_event") == [("3",)]
    assert await accept(api, RUN) == ["accepted", "accepted", "known"]


async def test_an_event_whose_id_is_forgotten_still_counts_once(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, RUN)
    await fold_everything(ingest)
    before, facts = await segments(db), await fetch(db, "SELECT * FROM usage_fact ORDER BY instance_id, at")
    await _age(db, "1", "2", "3")
    await forget_ids(ingest, 10)
    await accept(api, RUN)
    await fold_everything(ingest)
    assert await segments(db) == before
    assert await fetch(db, "SELECT * FROM usage_fact ORDER BY instance_id, at") == facts


async def test_what_a_correction_replaced_stays_replaced(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, RUN)
    await fold_everything(ingest)
    await execute(db, "UPDATE usage_fact SET replaced_at = now() WHERE kind = 'stopped'")
    await _age(db, "2")
    await forget_ids(ingest, 10)
    await accept(api, [RUN[1]])
    await fold_everything(ingest)
    assert await fetch(db, "SELECT 1 FROM usage_fact WHERE kind = 'stopped' AND replaced_at IS NULL") == []


async def test_the_sources_worker_forgets(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, RUN)
    await _age(db, "1", "2", "3")
    forgetting = asyncio.create_task(forget_forever(ingest))

    async def gone() -> bool:
        return await fetch(db, "SELECT 1 FROM received_event") == []

    try:
        await until(gone)
    finally:
        forgetting.cancel()


async def test_details_are_forgotten_that_wait_for_an_account_and_no_others(
    db: Database, api: Database, ingest: Database
) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), account, name="New") for account in ("acme", "nobody")])
    await execute(db, "UPDATE pending_details SET received_at = now() - interval '90 days 1 s'")
    assert await forget_waiting(ingest) == 0
    assert await store(ingest) == [(1, ["nobody"])]
    assert [subject for subject, _ in await faults(db)] == ["account nobody"]
    assert await forget_waiting(ingest) == 1
    assert await fetch(db, "SELECT 1 FROM pending_details") == []
    assert await faults(db) == []
    assert (await known(db))[0] == "New"
