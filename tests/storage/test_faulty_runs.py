"""Runs that have a stop but no runtime, besides others of the same instance: nothing bills them, so they are listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import permutations

import pytest

from billing.audit.checks import Check
from billing.usage.rows import FILE, ImportOptions
from storage.claims.claims import claim_page
from storage.periods.periods import excluded_instances
from storage.postgres.database import Database
from storage.usage.explain import explain_instance
from storage.usage.instances import upsert_instances
from tests.storage.audits import audit
from tests.storage.usage import add_account, card, claimed, execute, fetch, instance, may, scope

MAY, JUNE = may(1), may(32)
GOOD = instance("i", may(1), may(2))
BACKWARDS = instance("i", may(6), may(5), creation_time=None)
NOT_STARTED = instance("i", None, may(6), creation_time=None)
RUN_AGAIN = instance("i", may(8), may(9), creation_time=None)
LISTED = {"ends_before_start": BACKWARDS, "no_started_time": NOT_STARTED}
SEEN = {GOOD: may(2), BACKWARDS: may(6), NOT_STARTED: may(6), RUN_AGAIN: may(9)}


async def listed(db: Database, month: tuple[datetime, datetime] = (MAY, JUNE)) -> list[tuple[str, str, int]]:
    """Return what `period status` excludes, after checking that the audit agrees."""
    found, findings = await audit(db, Check.CONSERVATION)
    assert (findings, found.figures["instances"]) == ([], 1)
    rows = excluded_instances(db, start=month[0], end=month[1], bill_after=None, rate_card=card())
    return [(row.instance_id, row.reason, row.duration_us) async for row in rows]


async def explained(db: Database) -> list[tuple[datetime | None, datetime, str]]:
    found = await explain_instance(db, "i", now=may(20), bill_after=None, rate_card=card(), charge_on="own")
    assert found is not None
    assert found.invalid is None
    return [(each.start, each.end, each.reason) for each in found.faulty_runs]


@pytest.mark.parametrize("reason", LISTED)
@pytest.mark.parametrize("timed", [True, False], ids=["facts", "rows"])
async def test_a_faulty_run_is_listed_and_the_others_are_billed(db: Database, reason: str, timed: bool) -> None:
    faulty = LISTED[reason]
    await add_account(db)
    for number, row in enumerate([GOOD, faulty, RUN_AGAIN]):
        given = replace(row, updated_at=SEEN[row]) if timed else row
        assert (await upsert_instances(db, [given])).faults == []
        assert (await upsert_instances(db, [given])).unchanged == 1
        if number:
            assert await listed(db) == [("i", reason, 0)]
            assert await explained(db) == [(faulty.started_time, faulty.stopping_time, reason)]
    assert await listed(db, (JUNE, may(62))) == []
    await claim_page(db, scope(), card())
    assert await claimed(db) == [("i", may(1), may(2)), ("i", may(8), may(9))]
    assert await listed(db) == [("i", reason, 0)]


async def test_a_faulty_run_is_listed_in_any_order_of_arrival(db: Database) -> None:
    await add_account(db)
    rows = [replace(row, updated_at=SEEN[row]) for row in (GOOD, BACKWARDS, RUN_AGAIN)]
    for order in permutations(rows):
        for row in order:
            await upsert_instances(db, [row])
        assert await listed(db) == [("i", "ends_before_start", 0)]
        await execute(db, "TRUNCATE usage_fact, segment, instance_payer, workspace_instance")


async def test_what_rows_say_of_a_faulty_run_is_kept_among_facts(db: Database) -> None:
    await add_account(db)
    for row in (GOOD, BACKWARDS, RUN_AGAIN):
        await upsert_instances(db, [row])
    assert (await upsert_instances(db, [replace(RUN_AGAIN, updated_at=may(10), stopping_time=may(10))])).faults == []
    assert await explained(db) == [(may(6), may(5), "ends_before_start")]
    await upsert_instances(db, [replace(RUN_AGAIN, updated_at=may(11))], ImportOptions(correct=True))
    assert await explained(db) == []


@pytest.mark.parametrize("options", [FILE, ImportOptions(as_of=may(9))], ids=["rows", "facts"])
async def test_a_stop_waits_for_its_start(db: Database, options: ImportOptions) -> None:
    times = {"started_time", "stopping_time", "stopped_time", "creation_time"}
    stop = replace(instance("i", None, may(5)), missing=frozenset(times - {"stopping_time"}))
    start = replace(instance("i", may(3)), missing=frozenset(times - {"started_time"}))
    await upsert_instances(db, [stop], options)
    assert await _state(db) == [(None, may(5), "no_started_time")]
    later = options if options is FILE else ImportOptions(as_of=may(10))
    assert (await upsert_instances(db, [start], later)).faults == []
    assert await _state(db) == [(may(3), may(5), None)]


async def _state(db: Database) -> list[tuple[object, ...]]:
    query = "SELECT w.started_time, w.stopping_time, s.fault FROM workspace_instance w, instance_segment s"
    return [tuple(row) for row in await fetch(db, query)]
