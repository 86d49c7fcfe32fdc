from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from billing.usage.parsing import COLUMNS
from billing.usage.rows import ImportOptions, InstanceRow, RowFault
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from storage.usage.instances import BATCH, upsert_instances
from storage.usage.results import UpsertResult
from tests.storage.usage import add_account, add_instances, card, claimed, fetch, instance, june, may, scope
from tests.support.until import until


async def test_inserted_updated_and_unchanged(db: Database) -> None:
    rows = [instance("a", may(1)), instance("b", may(1), may(2)), instance("c", None, None)]
    assert await upsert_instances(db, rows) == UpsertResult(3, 0, 0, [], {})
    assert await upsert_instances(db, rows) == UpsertResult(0, 0, 3, [], {})
    changed = [instance("a", may(1), may(3)), *rows[1:], instance("d", may(1))]
    assert await upsert_instances(db, changed) == UpsertResult(1, 1, 2, [], {})
    assert await upsert_instances(db, []) == UpsertResult(0, 0, 0, [], {})
    ((ended,),) = await fetch(db, "SELECT upper(during) FROM instance_segment WHERE instance_id = 'a'")
    assert ended == may(3)


@pytest.mark.parametrize(
    ("times", "runtime"),
    [
        ({"stopping_time": may(3), "stopped_time": may(4)}, (may(2), may(3))),
        ({"stopping_time": may(4), "stopped_time": may(3)}, (may(2), may(3))),
        ({"stopped_time": may(4)}, (may(2), may(4))),
        ({}, (may(2), None)),
        ({"creation_time": None}, (may(2), None)),
        ({"creation_time": may(3)}, (may(2), None)),
        ({"creation_time": may(3) + timedelta(microseconds=1)}, None),
        ({"stopping_time": may(1), "stopped_time": may(4)}, None),
        ({"started_time": None}, None),
    ],
)
async def test_an_instance_runs_from_its_start_to_its_earlier_stop(
    db: Database, times: dict[str, object], runtime: object
) -> None:
    row = replace(instance("i", may(2)), **times)  # type: ignore[arg-type]
    await add_instances(db, row)
    found = await fetch(db, "SELECT lower(during), upper(during) FROM instance_segment WHERE fault IS NULL")
    assert found == ([] if runtime is None else [runtime])


async def test_rows_of_one_id_that_agree_count_once_and_a_stop_is_progress(db: Database) -> None:
    running = instance("a", may(1))
    rows = [running, instance("b", may(1)), running, instance("a", may(1), may(2))]
    assert await upsert_instances(db, rows) == UpsertResult(2, 0, 0, [], {}, repeated=2)
    stopped = replace(rows[-1], stopped_time=may(3))
    assert await upsert_instances(db, [rows[-1], stopped, stopped]) == UpsertResult(0, 1, 0, [], {}, repeated=2)
    assert await stops(db, "a") == (may(2), may(3))
    without_the_key = instance("c", may(1), missing=frozenset({"stopping_time"}))
    rows = [without_the_key, instance("c", may(1), may(2))]
    assert await upsert_instances(db, rows) == UpsertResult(1, 0, 0, [], {}, repeated=1)
    assert await stops(db, "c") == (may(2), None)


async def test_rows_of_one_id_that_differ_are_refused_both(db: Database) -> None:
    row = replace(instance("a", may(1), may(2), owner_id="o", workspace_type="t"), stopped_time=may(2))
    changes: list[dict[str, Any]] = [
        {"attribution_id": "team:b"},
        {"workspace_id": None},
        {"project_id": "q"},
        {"owner_id": "other"},
        {"workspace_class": "xl"},
        {"workspace_type": None},
        {"creation_time": may(0.5)},
        {"started_time": None},
        {"stopping_time": may(3)},
        {"stopped_time": None},
    ]
    for change in changes:
        (column,) = change
        other = replace(row, line=9, **change)
        result = await upsert_instances(db, [replace(row, line=2), instance("b", may(1), line=5), other])
        assert [(fault.line, fault.column) for fault in result.faults] == [(2, column), (9, column)]
        assert result.faults[0].reason == (
            f"a has another {column} in line 9: neither row is imported; leave only the right one in the file"
        )
        assert f"a has another {column} in line 2" in result.faults[1].reason
        assert (result.inserted + result.unchanged, result.repeated) == (1, 0)
    lacking = replace(row, line=9, project_id="p", missing=frozenset({"owner_id"}), owner_id=None)
    result = await upsert_instances(db, [replace(row, line=2, owner_id=None), lacking])
    assert [fault.column for fault in result.faults] == ["row", "row"]
    assert await fetch(db, "SELECT id FROM workspace_instance") == [("b",)]


async def test_each_refused_row_names_one_that_differs(db: Database) -> None:
    days = [1, 1, 2, 2, 1, 1]
    rows = [instance("a", may(day), line=line) for line, day in enumerate(days, 2)]
    faults = (await upsert_instances(db, rows)).faults
    assert [(fault.line, fault.reason.partition(" in line ")[2][0]) for fault in faults] == [
        (2, "4"),
        (3, "4"),
        (4, "3"),
        (5, "3"),
        (6, "5"),
        (7, "5"),
    ]


async def test_a_stop_that_a_later_row_of_the_file_lacks_is_a_contradiction(db: Database) -> None:
    rows = [instance("a", may(1), may(2), line=2), instance("a", may(1), line=3)]
    faults = (await upsert_instances(db, rows, ImportOptions(reopen=True))).faults
    assert [(fault.line, fault.column) for fault in faults] == [(2, "stopping_time"), (3, "stopping_time")]
    assert await fetch(db, "SELECT id FROM workspace_instance") == []


async def test_many_rows_go_in_by_batches_and_contradictions_are_found_across_them(db: Database) -> None:
    rows = [instance(f"i-{n}", may(1), may(2), line=n) for n in range(BATCH + 10)]
    far = [instance("i-0", may(1), may(3), line=20_000), instance("i-1", may(1), may(2), line=20_001)]
    result = await upsert_instances(db, rows + far)
    assert (result.inserted, result.repeated) == (BATCH + 9, 1)
    assert [fault.line for fault in result.faults] == [0, 20_000]
    assert await fetch(db, "SELECT id FROM workspace_instance WHERE id = 'i-0'") == []
    again = await upsert_instances(db, rows)
    assert (again.inserted, again.unchanged, again.faults) == (1, BATCH + 9, [])


@pytest.mark.parametrize("column", ["stopping_time", "stopped_time"])
async def test_a_known_stop_is_removed_on_request_only(db: Database, column: str) -> None:
    running = instance("i-1", may(2), line=7)
    await add_instances(db, replace(running, **{column: may(3)}))  # type: ignore[arg-type]
    result = await upsert_instances(db, [running, instance("i-2", may(2))])
    assert result.faults == [
        RowFault(
            7,
            column,
            "i-1 is known to have stopped at 2022-05-03T00:00:00Z: a row without a stop does not reopen it; "
            "import the row with its stop, or use --reopen",
        )
    ]
    assert (result.inserted, result.updated) == (1, 0)
    assert await stops(db, "i-1") in [(may(3), None), (None, may(3))]
    moved = replace(running, stopping_time=may(3.5))
    assert (await upsert_instances(db, [moved])).updated == 1
    assert await stops(db, "i-1") == (may(3.5), None)
    assert (await upsert_instances(db, [replace(running, stopped_time=may(4))])).updated == 1
    assert await stops(db, "i-1") == (None, may(4))
    assert await upsert_instances(db, [running], ImportOptions(reopen=True)) == UpsertResult(0, 1, 0, [], {})
    assert await stops(db, "i-1") == (None, None)


async def test_a_column_that_a_row_lacks_leaves_the_value_alone_and_an_empty_one_clears_it(db: Database) -> None:
    values = {
        "owner_id": "o",
        "workspace_type": "t",
        "workspace_class": "xl",
        "quantity": Decimal(2),
        "stopped_time": may(4),
        "creation_time": may(1),
    }
    row = instance("i", may(2), may(3), **values)
    await add_instances(db, row)
    columns = [name for name in COLUMNS["instances"] if name not in ("id", "updated_at")]
    lacks_all = InstanceRow(2, "i", missing=frozenset(columns))
    assert await upsert_instances(db, [lacks_all]) == UpsertResult(0, 0, 1, [], {})
    kept = await fetch(db, f"SELECT {', '.join(columns)} FROM workspace_instance")
    assert kept == [tuple(getattr(row, name) for name in columns)]
    for name in columns:
        (before,) = await fetch(db, f"SELECT {', '.join(columns)} FROM workspace_instance")
        one = InstanceRow(2, "i", missing=frozenset(columns) - {name})
        changed = [each for each in columns if getattr(before, each) is not None and each == name]
        result = await upsert_instances(db, [one])
        (after,) = await fetch(db, f"SELECT {', '.join(columns)} FROM workspace_instance")
        # The last stop that is known, and the terms.
        if name in ("stopped_time", "attribution_id", "workspace_class", "quantity"):
            assert [fault.column for fault in result.faults] == [name]
            assert after == before
        else:
            assert [each for each in columns if getattr(after, each) != getattr(before, each)] == changed == [name]
    new = InstanceRow(2, "new", attribution_id="team:a", missing=frozenset(columns) - {"attribution_id"})
    assert (await upsert_instances(db, [new])).inserted == 1


async def test_a_row_that_lacks_what_was_invoiced_is_taken(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2)))
    await claim_page(db, scope(), card())
    stop = InstanceRow(2, "i", stopping_time=may(40), missing=frozenset(COLUMNS["instances"]) - {"id", "stopping_time"})
    assert await upsert_instances(db, [stop]) == UpsertResult(0, 1, 0, [], {})


async def test_an_older_export_changes_no_bill(db: Database) -> None:
    await add_account(db)
    evening = instance("i-1", may(3.375), may(3.375 + 8 / 24))
    morning = replace(evening, stopping_time=None)
    await add_instances(db, evening)
    assert len((await upsert_instances(db, [morning])).faults) == 1
    await claim_page(db, scope(), card())
    assert len((await upsert_instances(db, [morning])).faults) == 1
    assert not (await claim_page(db, june(), card())).keys
    assert await claimed(db) == [("i-1", may(3.375), may(3.375 + 8 / 24))]


async def stops(db: Database, instance_id: str) -> tuple[object, object]:
    query = "SELECT stopping_time, stopped_time FROM workspace_instance WHERE id = :id"
    ((stopping, stopped),) = await fetch(db, query, id=instance_id)
    return stopping, stopped


async def test_ids_that_cannot_be_kept_are_refused(db: Database) -> None:
    rows = [
        instance("", may(1), line=2),
        instance("x" * 256, may(1), line=3),
        instance("x" * 255, may(1), line=4),
    ]
    result = await upsert_instances(db, rows)
    assert (result.inserted, result.unchanged) == (1, 0)
    assert [(fault.line, fault.column) for fault in result.faults] == [(2, "id"), (3, "id")]


async def test_times_that_contradict_a_claim_are_taken_and_listed(db: Database) -> None:
    await add_account(db)
    rows = [instance(name, may(2), may(4)) for name in "abcd"]
    await add_instances(db, *rows)
    await claim_page(db, scope(cutoff=may(3)), card())
    result = await upsert_instances(
        db,
        [
            instance("a", may(2), may(3)),
            instance("b", may(2), may(3, us=-1)),
            instance("c", may(2, us=1), may(4)),
            instance("d", may(2), may(1)),
        ],
    )
    assert (result.updated, result.faults, list(result.misbilled)) == (4, [], ["b", "c", "d"])


@pytest.mark.waits
async def test_imports_at_once_do_not_deadlock(db: Database) -> None:
    ids = [f"{number:04d}" for number in range(2000)]
    batches = [
        [instance(name, may(1), may(2 + owner), owner_id=str(owner)) for name in ids[:: -1 if owner % 2 else 1]]
        for owner in range(4)
    ]
    results = await asyncio.gather(*(upsert_instances(db, batch) for batch in batches))
    assert sum(result.inserted for result in results) == len(ids)
    assert sum(result.updated for result in results) == 3 * len(ids)


@pytest.mark.waits
async def test_imports_at_once_never_remove_a_stop(db: Database) -> None:
    """The import without a stop must not compare its row while the stop of the other one is on its way."""
    await add_account(db)
    running = instance("i", may(1))
    await add_instances(db, running)

    async def until_waiting(count: int) -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

        async def waiting() -> bool:
            return [(count,)] == await fetch(db, query)

        await until(waiting)

    async with db.transaction() as connection:
        await connection.execute(text("SELECT FROM account FOR UPDATE"))
        stop = asyncio.create_task(upsert_instances(db, [replace(running, stopping_time=may(2))]))
        await until_waiting(1)
        older = asyncio.create_task(upsert_instances(db, [replace(running, started_time=may(1, us=1))]))
        await until_waiting(2)
    assert (await stop).updated == 1
    assert [fault.column for fault in (await older).faults] == ["stopping_time"]
    assert await stops(db, "i") == (may(2), None)
