"""Rows without a time: on which terms an instance runs does not change, but its times do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.usage.rows import FILE, ImportOptions
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances
from tests.storage.usage import add_account, add_instances, card, fetch, instance, june, may, scope


async def test_what_a_report_says_of_an_instance_stays_as_invoiced(db: Database) -> None:
    await add_account(db)
    row = instance("i", may(2), None, owner_id="o")
    await add_instances(db, row, instance("free", may(40), may(41)))
    await claim_page(db, scope(), card())
    changes = (
        (replace(row, workspace_id="w"), "workspace_id", "ws-i"),
        (replace(row, project_id=None), "project_id", "p"),
    )
    for change, column, invoiced in changes:
        for options in (FILE, ImportOptions(correct=True)):
            result = await upsert_instances(db, [replace(change, line=2), instance("free", may(40), may(41))], options)
            (fault,) = result.faults
            assert (fault.line, fault.column) == (2, column)
            assert f"i cannot change: invoiced as {invoiced}" in fault.reason
            assert (result.updated, result.unchanged) == (0, 2)
    assert (await upsert_instances(db, [replace(row, owner_id="other", workspace_type="t")])).updated == 1


@pytest.mark.parametrize(
    ("column", "value", "known"),
    [("attribution_id", "team:b", "team:a"), ("workspace_class", "xl", "default"), ("quantity", Decimal(2), "1")],
)
@pytest.mark.parametrize("claimed", [False, True], ids=["new", "invoiced"])
async def test_without_a_time_terms_do_not_change_but_the_stop_is_taken(
    db: Database, column: str, value: object, known: str, claimed: bool
) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2)))
    if claimed:
        await claim_page(db, scope(), card())
    change = replace(instance("i", may(2), may(35)), line=2, **{column: value})  # type: ignore[arg-type]
    result = await upsert_instances(db, [change])
    (fault,) = result.faults
    assert (fault.line, fault.column) == (2, column)
    assert fault.reason.startswith(f"i is known with {column} {known}, not {value}: the rest of the row is taken")
    assert (result.updated, result.misbilled) == (1, {})
    await claim_page(db, june(), card())
    found = await fetch(db, "SELECT upper(during) FROM instance_segment WHERE fault IS NULL")
    assert found == [(may(35),)]


async def test_an_instance_without_an_account_can_be_given_to_one(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3), attribution_id=None))
    assert (await upsert_instances(db, [instance("i", may(2), may(3))])).faults == []
    assert len((await claim_page(db, scope(), card())).keys) == 1
