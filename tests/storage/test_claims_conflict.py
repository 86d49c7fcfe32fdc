"""Usage that another account's invoice has claimed, after a change by hand: nobody pays it again."""

from __future__ import annotations

import pytest

from storage.claims import claims
from storage.claims import writing as claim_writing
from storage.claims.claims import claim_page, preview_page
from storage.postgres.database import Database
from storage.usage.misbilled import misbilled_usage
from tests.storage.usage import (
    HOUR_US,
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


async def test_what_another_account_has_paid_is_not_billed_again(db: Database) -> None:
    await _use(db)
    result = await claim_page(db, june(after="team:a"), card())
    assert result.keys == ("2022-06/team:b/period", "2022-06/team:c/period")
    assert (result.blocked, result.below_minimum, result.amounts) == (0, 0, {"usd": 4320})
    assert await claimed(db) == [
        ("b's", may(40), may(41)),
        ("c's", may(40), may(41)),
        ("moved", may(2), may(3)),
        ("moved", may(3), may(4)),
    ]
    assert await fetch(db, "SELECT 1 FROM account_outcome") == []
    (usage,) = await misbilled_usage(db)
    assert (usage.invoice_key, usage.reason, usage.duration_us) == (
        "2022-05/team:a/period",
        "other_account",
        24 * HOUR_US,
    )


async def test_what_was_learnt_is_known_to_the_dry_run(db: Database) -> None:
    await _use(db)
    await claim_page(db, june(after="team:a"), card())
    await execute(
        db, "UPDATE workspace_instance SET stopping_time = stopping_time + interval '1 day' WHERE id = 'moved'"
    )
    (july,) = await preview_page(db, scope(period="2022-07", cutoff=may(80), attribution_id="team:b"), card())
    assert july.duration_us == 24 * HOUR_US


async def test_a_cancellation_leaves_it_out_likewise(db: Database) -> None:
    await _use(db)
    result = await claim_page(db, cancellation("sub", may(20), attribution_id="team:b"), card())
    assert result.keys == ("2022-05/team:b/cancellation/sub",)
    assert ("moved", may(3), may(4)) in await claimed(db)


async def test_another_violation_is_not_taken_for_a_conflict(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    write = claim_writing.write_invoices

    async def twice(*arguments: object) -> None:
        await write(*arguments)  # type: ignore[arg-type]
        if arguments[-1]:
            await write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "write_invoices", twice)
    assert (await claim_page(db, scope(), card())).blocked == 1
    ((kind, reason),) = await fetch(db, "SELECT kind, reason FROM account_outcome")
    assert kind == "refused"
    assert 'violates unique constraint "invoice_' in reason
