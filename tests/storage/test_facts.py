"""Facts: rows with an update time. Whatever the order of arrival, the segments are those of the fold."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from billing.usage.facts import fact_of_row
from billing.usage.fold import fold
from billing.usage.rows import FILE, ImportOptions, InstanceRow
from storage.claims.claims import claim_page, preview_page
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.usage.instances import upsert_instances
from storage.usage.misbilled import misbilled_usage
from tests.storage.usage import HOUR_US, add_account, add_instances, card, claimed, fetch, instance, june, may, scope


def seen(at: datetime, start: datetime | None, stop: datetime | None = None, **changes: Any) -> InstanceRow:
    """Return the row of instance i that was updated at this instant."""
    return replace(instance("i", start, stop), updated_at=at, **changes)


async def segments(db: Database) -> list[tuple[object, ...]]:
    query = (
        "SELECT lower(during), upper(during), attribution_id, coalesce(workspace_class, 'default'), quantity "
        "FROM instance_segment WHERE fault IS NULL ORDER BY instance_id, during"
    )
    return [tuple(row) for row in await fetch(db, query)]


CHANGES = [
    seen(may(2), may(2), workspace_class="default"),
    seen(may(5), may(2), workspace_class="xl"),
    seen(may(7), may(2), workspace_class="xl", quantity=Decimal(3)),
    seen(may(9), may(2), may(9), workspace_class="xl", quantity=Decimal(3)),
    seen(may(11), may(11), attribution_id="team:b"),
]
RAN = [
    (may(2), may(5), "team:a", "default", 1),
    (may(5), may(7), "team:a", "xl", 1),
    (may(7), may(9), "team:a", "xl", 3),
    (may(11), None, "team:b", "default", 1),
]


async def test_any_order_of_arrival_gives_the_same_segments(db: Database) -> None:
    for number, order in enumerate(permutations(CHANGES)):
        if number % 9:
            continue
        await upsert_instances(db, order[:2])
        for row in order[2:]:
            assert (await upsert_instances(db, [row])).faults == []
        assert await segments(db) == RAN
        again = await upsert_instances(db, list(order))
        assert (again.inserted, again.updated, again.unchanged) == (0, 0, 5)
        assert await segments(db) == RAN
        await fetch(
            db, "TRUNCATE usage_fact, segment, instance_payer, workspace_instance RETURNING 1"
        ) if False else None
        async with db.transaction() as connection:
            await connection.exec_driver_sql("TRUNCATE usage_fact, segment, instance_payer, workspace_instance")


async def test_each_segment_is_billed_to_its_payer(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await upsert_instances(db, CHANGES)
    await claim_page(db, scope(), card())
    lines = await fetch(
        db,
        "SELECT i.attribution_id, l.workspace_class, l.duration_us, l.quantity_us, l.credits "
        "FROM invoice_line AS l JOIN invoice AS i ON i.id = l.invoice_id ORDER BY 1, 2",
    )
    day = 24 * HOUR_US
    assert [tuple(row) for row in lines] == [
        ("team:a", "default", 3 * day, 3 * day, 3 * 1440),
        ("team:a", "xl", 4 * day, 8 * day, 2 * 8 * 1440),
        ("team:b", "default", 21 * day, 21 * day, 21 * 1440),
    ]
    assert await misbilled_usage(db) == []


async def test_an_older_row_is_stale_and_takes_its_place(db: Database) -> None:
    await upsert_instances(db, [CHANGES[0], CHANGES[3]])
    stale = await upsert_instances(db, [CHANGES[1]])
    assert (stale.inserted, stale.updated, stale.unchanged, stale.stale, stale.faults) == (0, 0, 0, 1, [])
    assert await segments(db) == [RAN[0], (may(5), may(9), "team:a", "xl", 1)]


async def test_a_newer_row_that_says_the_same_is_a_sign(db: Database) -> None:
    await upsert_instances(db, [CHANGES[0]])
    result = await upsert_instances(db, [replace(CHANGES[0], updated_at=may(4))])
    assert (result.updated, result.misbilled) == (1, {})
    assert await fetch(db, "SELECT last_sign, segmented FROM workspace_instance") == [(may(4), False)]


async def test_a_row_without_a_time_has_no_place_among_facts(db: Database) -> None:
    await upsert_instances(db, [CHANGES[0]])
    (fault,) = (await upsert_instances(db, [instance("i", may(2), may(6))])).faults
    assert "i is known by facts with a time" in fault.reason
    assert "--as-of" in fault.reason
    result = await upsert_instances(db, [instance("i", may(2), may(6))], ImportOptions(as_of=may(6)))
    assert (result.updated, result.faults) == (1, [])
    assert await segments(db) == [(may(2), may(6), "team:a", "default", 1)]


async def test_what_was_known_without_a_time_is_kept(db: Database) -> None:
    await add_instances(db, instance("i", may(2)))
    await upsert_instances(db, [seen(may(8), may(2), workspace_class="xl")])
    assert await segments(db) == [(may(2), may(8), "team:a", "default", 1), (may(8), None, "team:a", "xl", 1)]


async def test_an_instance_that_starts_again_keeps_its_earlier_run(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    again = await upsert_instances(db, [instance("i", may(5), None, workspace_class="xl")])
    assert (again.updated, again.faults) == (1, [])
    assert await segments(db) == [(may(2), may(3), "team:a", "default", 1), (may(5), None, "team:a", "xl", 1)]
    stop = await upsert_instances(db, [instance("i", may(5), may(6), workspace_class="xl")])
    assert (stop.updated, stop.faults) == (1, [])
    assert (await upsert_instances(db, [instance("i", may(5), may(6), workspace_class="xl")])).unchanged == 1
    assert await segments(db) == [(may(2), may(3), "team:a", "default", 1), (may(5), may(6), "team:a", "xl", 1)]
    await claim_page(db, scope(), card())
    assert await claimed(db) == [("i", may(2), may(3)), ("i", may(5), may(6))]


async def test_a_run_that_follows_at_once_is_a_run_of_its_own(db: Database) -> None:
    await add_instances(db, instance("i", may(2), may(3)))
    for stop in (None, may(4)):
        await upsert_instances(db, [instance("i", may(3), stop)])
        assert await segments(db) == [
            (may(2), may(3), "team:a", "default", 1),
            (may(3), stop, "team:a", "default", 1),
        ]


async def test_an_older_export_does_not_undo_a_later_run(db: Database) -> None:
    runs = [instance("i", may(2), may(3)), instance("i", may(5), may(6)), instance("i", may(8))]
    for run in runs:
        await upsert_instances(db, [run])
    ran = await segments(db)
    for run in runs[:2]:
        again = await upsert_instances(db, [run])
        assert (again.unchanged, again.updated, again.faults) == (1, 0, [])
    for older in (
        instance("i", may(2)),
        instance("i", may(2), may(4)),
        instance("i", may(5), may(6), workspace_class="xl"),
        instance("i", may(1), may(2)),
        instance("i", may(7), may(8)),
    ):
        refused = await upsert_instances(db, [older])
        assert (refused.updated, refused.unchanged) == (0, 0)
        (fault,) = refused.faults
        assert fault.column == "started_time"
        assert "i has started again at 2022-05-08T00:00:00Z" in fault.reason
        assert "--correct" in fault.reason
    assert await segments(db) == ran
    moved = await upsert_instances(db, [instance("i", may(7))])
    assert (moved.updated, moved.faults) == (1, [])
    assert await segments(db) == [*ran[:2], (may(7), None, "team:a", "default", 1)]


async def test_an_earlier_run_that_arrives_last_does_not_replace_the_known_one(db: Database) -> None:
    await add_instances(db, instance("i", may(5), may(6)))
    (fault,) = (await upsert_instances(db, [instance("i", may(2), may(3))])).faults
    assert "i has started again" in fault.reason
    assert await segments(db) == [(may(5), may(6), "team:a", "default", 1)]


async def test_a_correction_replaces_all_facts_and_names_what_it_misbills(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await upsert_instances(db, CHANGES[:4])
    await claim_page(db, scope(), card())
    right = seen(may(9), may(2), may(9), attribution_id="team:b")
    dry = await upsert_instances(db, [right], ImportOptions(correct=True, dry_run=True))
    assert len(dry.misbilled["i"]) == 1
    assert len(await segments(db)) == 3
    done = await upsert_instances(db, [right], ImportOptions(correct=True))
    assert done.misbilled == dry.misbilled
    (usage,) = await misbilled_usage(db)
    assert (usage.reason, usage.invoice_key, usage.duration_us) == (
        "other_account", "2022-05/team:a/period", 7 * 24 * HOUR_US,
    )  # fmt: skip
    assert await segments(db) == [(may(2), may(9), "team:b", "default", 1)]
    assert await preview_page(db, june(), card()) == []
    assert (await claim_page(db, june(), card())).keys == ()
    old = await upsert_instances(db, CHANGES[:4])
    assert (old.unchanged, old.updated) == (4, 0)
    assert await segments(db) == [(may(2), may(9), "team:b", "default", 1)]


async def test_a_correction_by_what_is_known_last_replaces_the_facts_before(db: Database) -> None:
    await add_account(db)
    await upsert_instances(db, CHANGES[:2])
    await claim_page(db, scope(), card())
    last = instance("i", may(2), workspace_class="xl")
    done = await upsert_instances(db, [last], ImportOptions(correct=True))
    assert (done.updated, done.unchanged, len(done.misbilled["i"])) == (1, 0, 1)
    assert await segments(db) == [(may(2), None, "team:a", "xl", 1)]
    assert (await upsert_instances(db, [last], ImportOptions(correct=True))).unchanged == 1


async def test_what_a_correction_brings_back_is_known_again_when_facts_follow(db: Database) -> None:
    plain = instance("i", may(2))
    change = replace(seen(may(5), None, workspace_class="xl"), missing=frozenset({"started_time", "creation_time"}))
    await upsert_instances(db, [plain])
    await upsert_instances(db, [change])
    await upsert_instances(db, [plain], ImportOptions(correct=True))
    assert await segments(db) == [(may(2), None, "team:a", "default", 1)]
    await upsert_instances(db, [replace(change, updated_at=may(6))])
    assert await segments(db) == [
        (may(2), may(6), "team:a", "default", 1),
        (may(6), None, "team:a", "xl", 1),
    ]


async def test_a_dry_run_changes_nothing(db: Database) -> None:
    await add_instances(db, instance("known", may(2)))
    rows = [*CHANGES, instance("known", may(2), may(3)), instance("new", may(2))]
    result = await upsert_instances(db, rows, ImportOptions(dry_run=True))
    assert (result.inserted, result.updated) == (2, 5)
    assert await fetch(db, "SELECT id, stopping_time FROM workspace_instance") == [("known", None)]
    assert await fetch(db, "SELECT 1 FROM usage_fact") == []


async def test_a_correction_without_a_workspace_does_not_clear_the_invoiced_one(db: Database) -> None:
    """Reports are rebuilt from it."""
    await add_account(db)
    await upsert_instances(db, CHANGES[:4])
    await claim_page(db, scope(), card())
    right = replace(
        seen(may(9), may(2), may(8), workspace_id=None, project_id=None),
        missing=frozenset({"workspace_id", "project_id"}),
    )
    (fault,) = (await upsert_instances(db, [right], ImportOptions(correct=True))).faults
    assert (fault.column, fault.reason) == ("workspace_id", "i cannot change: invoiced as ws-i")
    (known,) = await fetch(db, "SELECT workspace_id, project_id FROM workspace_instance")
    assert tuple(known) == ("ws-i", "p")
    assert await segments(db) == RAN[:3]


async def test_a_fact_that_is_known_is_not_refused_once_its_workspace_was_another(db: Database) -> None:
    """A source reports it again with each read."""
    await add_account(db)
    moved = [seen(may(2), may(2), workspace_id="before"), seen(may(3), may(2), may(4))]
    await upsert_instances(db, moved)
    await claim_page(db, scope(), card())
    again = await upsert_instances(db, moved)
    assert (again.unchanged, again.faults) == (2, [])


@pytest.mark.parametrize("seed", range(8))
async def test_rows_that_only_repeat_the_one_before_change_nothing(db: Database, seed: int) -> None:
    chance = random.Random(seed)
    kinds = [
        seen(may(1), may(1)),
        seen(may(1), may(1), workspace_class="xl"),
        seen(may(1), may(1), may(4)),
        seen(may(1), may(6)),
        seen(may(1), None, may(5)),
    ]
    drawn = [kind for kind in chance.choices(kinds, k=5) for _ in range(chance.randrange(1, 6))]
    rows = [replace(row, line=number, updated_at=may(7 + number / 9)) for number, row in enumerate(drawn)]
    rows += [replace(chance.choice(kinds), line=99, updated_at=chance.choice(rows).updated_at)]
    other = replace(rows[2], line=100, updated_at=may(1))
    facts = [fact_of_row(row, row.updated_at, FILE.source) for row in rows if row.updated_at is not None]
    facts.append(fact_of_row(other, may(1), "crm"))
    chance.shuffle(rows)
    await upsert_instances(db, rows[:3])
    await upsert_instances(db, rows[3:])
    await upsert_instances(db, [other], ImportOptions(source="crm"))
    expected = fold(facts)
    assert await segments(db) == [
        (each.start, each.end, each.terms.attribution_id, each.terms.workspace_class or "default", each.terms.quantity)
        for each in expected.segments
    ]
    (known,) = await fetch(db, "SELECT last_sign, stopping_time FROM workspace_instance")
    assert tuple(known) == (expected.last_sign, expected.state["stopping_time"])


async def test_of_equal_rows_the_first_and_the_last_are_folded(db: Database) -> None:
    await upsert_instances(db, [replace(seen(may(2), may(2)), line=n, updated_at=may(2 + n)) for n in range(9)])
    async with db.transaction() as connection:
        found = await connection.execute(statement("usage/facts", "facts_of"), {"ids": ["i"]})
        assert sorted(row.at for row in found) == [may(2), may(10)]
