from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from billing.invoice.states import InvoiceState
from billing.usage.rows import RowFault
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from storage.usage.instances import UpsertResult, upsert_instances
from tests.storage.usage import add_account, add_instances, card, fetch, instance, may, scope


async def test_inserted_updated_and_unchanged(db: Database) -> None:
    rows = [instance("a", may(1)), instance("b", may(1), may(2)), instance("c", None, None)]
    assert await upsert_instances(db, rows) == UpsertResult(3, 0, 0, [], [])
    assert await upsert_instances(db, rows) == UpsertResult(0, 0, 3, [], [])
    changed = [instance("a", may(1), may(3)), *rows[1:], instance("d", may(1))]
    assert await upsert_instances(db, changed) == UpsertResult(1, 1, 2, [], [])
    assert await upsert_instances(db, []) == UpsertResult(0, 0, 0, [], [])
    ((ended,),) = await fetch(db, "SELECT upper(lifetime) FROM workspace_instance WHERE id = 'a'")
    assert ended == may(3)


@pytest.mark.parametrize(
    ("times", "lifetime"),
    [
        ({"stopping_time": may(3), "stopped_time": may(4)}, (may(2), may(3))),
        ({"stopped_time": may(4)}, (may(2), may(4))),
        ({}, (may(2), None)),
        ({"stopping_time": may(1), "stopped_time": may(4)}, None),
        ({"creation_time": None}, None),
        ({"started_time": None}, None),
    ],
)
async def test_the_lifetime_is_from_start_to_stopping_else_stopped(
    db: Database, times: dict[str, object], lifetime: object
) -> None:
    row = replace(instance("i", may(2)), **times)  # type: ignore[arg-type]
    await add_instances(db, row)
    ((start, end),) = await fetch(db, "SELECT lower(lifetime), upper(lifetime) FROM workspace_instance")
    assert ((start, end) if start else None) == lifetime


async def test_of_the_same_id_the_last_row_counts(db: Database) -> None:
    rows = [instance("a", may(1)), instance("b", may(1)), instance("a", may(1), may(2))]
    assert await upsert_instances(db, rows) == UpsertResult(2, 0, 1, [], [])
    ((ended,),) = await fetch(db, "SELECT stopping_time FROM workspace_instance WHERE id = 'a'")
    assert ended == may(2)


async def test_ids_that_cannot_be_kept_are_refused(db: Database) -> None:
    rows = [
        instance("", may(1), line=2),
        instance("x" * 256, may(1), line=3),
        instance("x" * 255, may(1), line=4),
    ]
    result = await upsert_instances(db, rows)
    assert (result.inserted, result.unchanged) == (1, 0)
    assert [(fault.line, fault.column) for fault in result.faults] == [(2, "id"), (3, "id")]


async def test_what_was_invoiced_of_an_instance_is_frozen(db: Database) -> None:
    await add_account(db)
    row = instance("i", may(2), may(3), owner_id="o")
    await add_instances(db, row, instance("free", may(40), may(41)))
    (key,) = (await claim_page(db, scope(), card())).keys
    frozen = [
        replace(row, line=2, attribution_id="team:b"),
        replace(row, line=2, workspace_class="xl"),
        replace(row, line=2, workspace_id="w"),
        replace(row, line=2, project_id=None),
    ]
    for change, column, invoiced in zip(
        frozen,
        ("attribution_id", "workspace_class", "workspace_id", "project_id"),
        ("team:a", "default", "ws-i", "p"),
        strict=True,
    ):
        free = instance("free", may(40), may(41), attribution_id="team:c", workspace_class=column)
        result = await upsert_instances(db, [change, free])
        assert result.faults == [RowFault(2, column, f"cannot change: invoiced as {invoiced}")]
        assert (result.updated, result.unchanged) == (1, 0)
    assert (await upsert_instances(db, [replace(row, owner_id="other", workspace_type="t")])).updated == 1
    await move_invoice(db, key, InvoiceState.DELETED, may(33))
    assert (await upsert_instances(db, [frozen[0]])).updated == 1


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
    assert (result.updated, result.faults, result.overbilled) == (4, [], ["b", "c", "d"])


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
