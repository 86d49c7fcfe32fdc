"""An account's mark spares the next run what is claimed. What makes usage billable again lowers it, and is billed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from billing.accounts.windows import WindowKind
from billing.assessment.slices import usage_parameters
from billing.audit.checks import Check
from billing.invoice.policy import AccountPolicy, FreeTime
from billing.invoice.states import InvoiceState
from billing.usage.rows import ImportOptions
from storage.accounts.policies import write_policy
from storage.claims import claims
from storage.claims import writing as claim_writing
from storage.claims.assessing import billable_accounts
from storage.claims.claims import ClaimScope, claim_page, preview_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune
from storage.usage.instances import upsert_instances
from tests.storage.audits import audit, reported
from tests.storage.usage import (
    US,
    add_account,
    add_instances,
    card,
    claimed,
    execute,
    fetch,
    instance,
    june,
    may,
    put_window,
    scope,
)

Change = Callable[[Database], Awaitable[Any]]
KEY = "2022-05/team:a/period"
OLD = instance("old", may(2), may(3))
TRIAL = (may(10), may(12), WindowKind.TRIAL)


async def _marks(db: Database) -> list[datetime | None]:
    return [row.claimed_until for row in await fetch(db, "SELECT claimed_until FROM account ORDER BY attribution_id")]


async def _world(db: Database) -> None:
    """May is billed, and marked: old ran for a day, early before the window, tried within a trial."""
    await add_account(db, "team:a", (may(-29), may(-28)))
    await put_window(db, "team:a", "sub_1", may(2), None, TRIAL)
    await add_account(db, "team:b")
    await add_instances(
        db,
        OLD,
        instance("early", may(1), may(1.5)),
        instance("tried", may(10), may(11)),
        instance("silent", None, None),
    )
    assert len((await claim_page(db, scope(), card())).keys) == 1
    assert await _marks(db) == [may(32), may(32)]
    assert [each[0] for each in await claimed(db)] == ["old"]


async def _void(db: Database) -> None:
    await move_invoice(db, KEY, InvoiceState.DELETED, may(33))


async def _facts(db: Database) -> None:
    row = replace(OLD, stopping_time=may(4), stopped_time=may(4), updated_at=may(5))
    await upsert_instances(db, [row])


async def _again(db: Database) -> None:
    await add_instances(db, instance("old", may(5), may(6)))


CAUSES: dict[str, tuple[Change, dict[str, tuple[float, float]], dict[str, Any]]] = {
    "a late instance": (
        lambda db: add_instances(db, instance("late", may(20), may(21))), {"late": (20, 21)}, {}),
    "a fact about a new instance": (
        lambda db: add_instances(db, replace(instance("late", may(20), may(21)), updated_at=may(22))),
        {"late": (20, 21)}, {}),
    "a later stop": (
        lambda db: upsert_instances(db, [instance("old", may(2), may(4))], ImportOptions(correct=True)),
        {"old": (3, 4)}, {}),
    "a later stop by a fact": (_facts, {"old": (3, 4)}, {}),
    "another run": (_again, {"old": (5, 6)}, {}),
    "a start that was unknown": (
        lambda db: add_instances(db, instance("silent", may(8), may(9))), {"silent": (8, 9)}, {}),
    "a fault that is corrected by hand": (
        lambda db: execute(db, "UPDATE workspace_instance SET started_time = '2022-05-08Z',"
                               " creation_time = '2022-05-08Z', stopping_time = '2022-05-09Z' WHERE id = 'silent'"),
        {"silent": (8, 9)}, {}),
    "a released claim": (_void, {"old": (2, 3)}, {}),
    "a claim that is deleted by hand": (
        lambda db: execute(db, "DELETE FROM claim WHERE instance_id = 'old'"), {"old": (2, 3)}, {}),
    "an earlier window": (
        lambda db: put_window(db, "team:a", "sub_1", may(1), None, TRIAL), {"early": (1, 1.5)}, {}),
    "a window of a file": (
        lambda db: add_account(db, "team:a", (may(1), may(2))), {"early": (1, 1.5)}, {}),
    "a trial that was none": (
        lambda db: put_window(db, "team:a", "sub_1", may(2), None), {"tried": (10, 11)}, {}),
    "a trial that is charged by policy": (
        lambda db: write_policy(db, "team:a", AccountPolicy(trial_usage=FreeTime.CHARGE)), {"tried": (10, 11)}, {}),
    "a kind that the deployment charges": (
        lambda db: asyncio.sleep(0), {"tried": (10, 11)},
        {"charged_kinds": frozenset({WindowKind.PAID, WindowKind.TRIAL})}),
}  # fmt: skip


@pytest.mark.parametrize(("change", "billed", "settings"), CAUSES.values(), ids=CAUSES)
async def test_what_is_billable_again_is_billed(
    db: Database, change: Change, billed: dict[str, tuple[float, float]], settings: dict[str, Any]
) -> None:
    await _world(db)
    await change(db)
    before = set(await claimed(db))
    expected = {(name, may(start), may(end)) for name, (start, end) in billed.items()}
    previews = await preview_page(db, june(**settings), card())
    assert [each.duration_us for each in previews] == [sum((end - start) // US for _, start, end in expected)]
    await claim_page(db, june(**settings), card())
    assert set(await claimed(db)) - before == expected
    assert await _marks(db) == [may(62), may(62)]
    found = await audit(db, Check.CONSERVATION, rate_card=card(), now=may(62), **settings)
    assert "unread_usage" not in {kind for kind, *_ in reported(found[1])}


@pytest.mark.parametrize("floor", ["the deployment's", "the account's", "the first rate"])
async def test_an_earlier_start_of_billing_bills_what_was_before(db: Database, floor: str) -> None:
    await add_account(db, bill_after=may(3) if floor == "the account's" else None)
    await add_instances(db, instance("i", may(1), may(4)))
    first = card(effective_from=may(3)) if floor == "the first rate" else card()
    await claim_page(db, scope(bill_after=may(3) if floor == "the deployment's" else None), first)
    assert (await claimed(db), await _marks(db)) == ([("i", may(3), may(4))], [may(32)])
    await execute(db, "UPDATE account SET bill_after = NULL")
    await claim_page(db, june(), card())
    assert ("i", may(1), may(3)) in await claimed(db)


async def test_an_instance_that_moves_to_another_account_is_billed_there(db: Database) -> None:
    await add_account(db, "team:a", (may(2), may(3)))
    await add_account(db, "team:b")
    await add_instances(db, instance("i", may(5), may(6)))
    await claim_page(db, scope(), card())
    assert await _marks(db) == [may(32), may(32)]
    await upsert_instances(db, [instance("i", may(5), may(6), attribution_id="team:b")], ImportOptions(correct=True))
    await claim_page(db, june(), card())
    assert await claimed(db) == [("i", may(5), may(6))]


async def test_one_currency_says_nothing_about_another(db: Database) -> None:
    await add_account(db, "team:a", (may(1), may(10)))
    await put_window(db, "team:a", "sub_1", may(10), None, currency="kwd")
    await add_instances(db, instance("i", may(2), may(3)), instance("j", may(12), may(13)))
    await claim_page(db, scope(currency="usd"), card())
    assert (await claimed(db), await _marks(db)) == ([("i", may(2), may(3))], [None])
    await claim_page(db, scope(currency="kwd"), card())
    await claim_page(db, june(), card())
    assert ([each[0] for each in await claimed(db)], await _marks(db)) == (["i", "j"], [may(62)])


async def test_what_is_left_over_keeps_the_mark(db: Database) -> None:
    """Usage below the minimum waits for the next run."""
    await add_account(db)
    await add_instances(db, instance("small", may(2), may(2.5)))
    dear = card(minimum_charge={"usd": "100"})
    assert (await claim_page(db, scope(), dear)).below_minimum == 1
    assert await _marks(db) == [None]
    await claim_page(db, june(), card())
    assert (await claimed(db), await _marks(db)) == ([("small", may(2), may(2.5))], [may(62)])


async def test_an_import_that_a_claim_has_not_seen_lowers_its_mark(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waits for the other."""
    await _world(db)
    await add_instances(db, instance("new", may(33), may(34)))
    held, release = asyncio.Event(), asyncio.Event()
    write = claim_writing.write_invoices

    async def hold_and_write(*arguments: Any) -> None:
        held.set()
        await release.wait()
        await write(*arguments)

    monkeypatch.setattr(claims, "write_invoices", hold_and_write)
    run = asyncio.create_task(claim_page(db, june(), card()))
    await held.wait()
    try:
        await asyncio.wait_for(add_instances(db, instance("late", may(20), may(21))), 30)
    finally:
        release.set()
        await run
    assert await _marks(db) == [may(62), may(62)]
    assert "late" not in {each[0] for each in await claimed(db)}
    monkeypatch.setattr(claims, "write_invoices", write)
    await claim_page(db, scope(period="2022-07", period_start=may(62), cutoff=may(93)), card())
    assert ("late", may(20), may(21)) in await claimed(db)


async def test_the_audit_finds_a_forged_mark_and_reopens_what_it_hides(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    await execute(db, "DELETE FROM reopened_usage")
    await execute(db, "UPDATE account SET claimed_until = '2022-06-01Z', claimed_windows = '{(,)}'")
    assert (await claim_page(db, scope(), card())).keys == ()
    found = await audit(db, Check.CONSERVATION, rate_card=card(), now=may(40))
    assert reported(found[1]) == [("unread_usage", "i", "")]
    assert (await claim_page(db, june(), card())).keys == ("2022-06/team:a/period",)
    found = await audit(db, Check.CONSERVATION, rate_card=card(), now=may(62))
    assert reported(found[1]) == []


async def _rows_read(db: Database, month: ClaimScope) -> dict[str, int]:
    """Return how many rows of instances and of claims the month's usage reads."""
    async with db.connection() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE"))
    async with db.transaction() as connection:
        await tune(connection)
        await connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are small
        accounts = await billable_accounts(connection, month)
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement('claims/claims', 'usage').text}")
        plan = (await connection.execute(explain, usage_parameters(month, card(), accounts))).scalar_one()
    rows = {"workspace_instance": 0, "claim": 0}
    nodes = [(json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node.get("Relation Name") in rows:
            seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            rows[node["Relation Name"]] += round(seen * node["Actual Loops"])
    return rows


async def test_a_month_reads_nothing_of_the_months_before(db: Database) -> None:
    """In each month 30 instances of each of two accounts run and stop; one has run since the first, and still runs."""
    read = []
    for name in ("team:a", "team:b"):
        await add_account(db, name)
    await add_instances(db, instance("lasting", may(1), None))
    for number in range(4):
        start, end = (datetime(2022, 5 + number + more, 1, tzinfo=UTC) for more in (0, 1))
        used = (start + (end - start) * part for part in (0.2, 0.4))
        since, until = used
        await add_instances(
            db,
            *(
                instance(f"{name}-{number}-{n}", since, until, attribution_id=name)
                for n in range(30)
                for name in ("team:a", "team:b")
            ),
        )
        month = scope(period=f"2022-{5 + number:02d}", period_start=start, cutoff=end)
        read.append(await _rows_read(db, month))
        assert len((await claim_page(db, month, card())).keys) == 2
    first, *_, last = read
    assert first == {"workspace_instance": 61, "claim": 0}
    # The lasting instance's account is read twice: for what has run since before the mark, and for its claims.
    assert last["workspace_instance"] <= 2 * 61
    assert last["claim"] == 3
    assert await fetch(db, "SELECT 1 FROM instance_payer") == []  # no claim was refused as a second one
