"""Usage that another account's invoice has claimed, after a change by hand: it blocks one account and no other."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from storage.claims import claims
from storage.claims import writing as claim_writing
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from tests.storage.usage import (
    add_account,
    add_instances,
    cancellation,
    card,
    claimed,
    execute,
    fetch,
    instance,
    june,
    may,
    scope,
)


async def _use(db: Database) -> None:
    """Account a is on one page, b and c on the next. b's instance was a's when May was billed, then changed by hand."""
    for name in ("a", "b", "c"):
        await add_account(db, f"team:{name}")
    await add_instances(db, instance("moved", may(2), may(4)))
    assert (await claim_page(db, scope(cutoff=may(3)), card())).keys == ("2022-05/team:a/period",)
    await execute(db, "UPDATE workspace_instance SET attribution_id = 'team:b'")
    for name in ("b", "c"):
        await add_instances(db, instance(f"{name}'s", may(40), may(41), attribution_id=f"team:{name}"))


async def test_the_account_is_blocked_and_the_others_are_invoiced(db: Database) -> None:
    await _use(db)
    result = await claim_page(db, june(after="team:a"), card())
    assert result.keys == ("2022-06/team:c/period",)
    assert (result.blocked, result.below_minimum, result.amounts) == (1, 0, {"usd": 1440})
    assert await claimed(db) == [("c's", may(40), may(41)), ("moved", may(2), may(3))]
    assert await fetch(db, "SELECT count(*) FROM invoice_line") == [(2,)]
    ((account, outcome, reason),) = await fetch(db, "SELECT attribution_id, outcome, reason FROM account_outcome")
    assert (account, outcome) == ("team:b", "blocked")
    assert reason == (
        "usage of instance moved from 2022-05-02T00:00:00.000000Z to 2022-05-03T00:00:00.000000Z is on "
        "invoice 2022-05/team:a/period already: void that invoice, or give the instance back to the account "
        "that pays it"
    )


async def test_it_goes_on_once_the_conflict_is_fixed(db: Database) -> None:
    await _use(db)
    assert (await claim_page(db, june(after="team:a"), card())).blocked == 1
    again = await claim_page(db, june(after="team:a"), card())
    assert (again.keys, again.blocked) == ((), 1)
    await execute(db, "DELETE FROM claim WHERE instance_id = 'moved'")
    assert (await claim_page(db, june(after="team:a"), card())).keys == ("2022-06/team:b/period",)
    assert await fetch(db, "SELECT 1 FROM account_outcome") == []


async def test_a_cancellation_is_blocked_likewise(db: Database) -> None:
    await _use(db)
    result = await claim_page(db, cancellation("sub", may(20), attribution_id="team:b"), card())
    assert (result.keys, result.blocked) == ((), 1)
    assert await fetch(db, "SELECT outcome FROM account_outcome") == [("blocked",)]


async def test_another_violation_is_not_taken_for_a_conflict(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    write = claim_writing.write_invoices

    async def twice(*arguments: object) -> None:
        await write(*arguments)  # type: ignore[arg-type]
        await write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "write_invoices", twice)
    with pytest.raises(IntegrityError, match="invoice_"):
        await claim_page(db, scope(), card())
