"""Concurrent runs over the same accounts wait for each other, and nothing is claimed twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.usage.rows import FILE, ImportOptions, InstanceRow
from contracts.names import BILLING_QUEUE
from storage.claims import assessing, claims
from storage.claims import writing as claim_writing
from storage.claims.claims import claim_page
from storage.periods.published import keep_card, publish
from storage.postgres import refusals
from storage.postgres import statements as queries
from storage.postgres.database import Database
from storage.usage import instances, results
from storage.usage.instances import upsert_instances
from storage.usage.misbilled import MisbilledUsage
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
    put_window,
    scope,
)
from tests.support.until import until

pytestmark = pytest.mark.waits

ACCOUNTS = [f"team:{number:02d}" for number in range(12)]
WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def _use(db: Database) -> None:
    for name in ACCOUNTS:
        await add_account(db, name)
        await add_instances(
            db, *(instance(f"{name}-{n}", may(n), may(n + 3), attribution_id=name) for n in range(1, 9))
        )


async def _until_waiting(db: Database, count: int = 1) -> None:
    """Wait until this many sessions wait for a lock."""

    async def waiting() -> bool:
        ((found,),) = await fetch(db, WAITING)
        return bool(found >= count)

    await until(waiting)


async def test_runs_of_one_period_make_each_invoice_once(db: Database) -> None:
    await _use(db)
    results = await asyncio.gather(*(claim_page(db, scope(), card()) for _ in range(4)))
    assert sorted(len(result.keys) for result in results) == [0, 0, 0, len(ACCOUNTS)]
    assert len(await claimed(db)) == 8 * len(ACCOUNTS)


async def test_a_page_waits_for_no_other_to_store_the_rate_card_that_the_worker_has_published(db: Database) -> None:
    await _use(db)
    await publish(db, BILLING_QUEUE, card(), {})
    async with db.transaction() as other:
        await keep_card(other, card())
        assert len((await asyncio.wait_for(claim_page(db, scope(), card()), 30)).keys) == len(ACCOUNTS)


async def test_different_runs_share_the_usage_out(db: Database) -> None:
    """Concurrent cancellations, periods and overlapping pages: each claims the usage that the others left."""
    await _use(db)
    await asyncio.gather(
        claim_page(db, scope(), card()),
        claim_page(db, june(), card()),
        claim_page(db, scope(after=ACCOUNTS[3]), card()),
        *(
            claim_page(db, cancellation(f"sub_{name[5:]}", may(6), attribution_id=name), card())
            for name in ACCOUNTS[::-1]
        ),
    )
    ((us,),) = await fetch(db, "SELECT sum(extract(epoch FROM upper(during) - lower(during)) * 1000000) FROM claim")
    assert us == len(ACCOUNTS) * 8 * 3 * 86_400_000_000
    ((mismatched,),) = await fetch(
        db,
        """
        SELECT count(*) FROM invoice_line AS l
        WHERE duration_us <> (
            SELECT sum(extract(epoch FROM upper(during) - lower(during)) * 1000000)
            FROM claim AS c WHERE (c.invoice_id, c.line_no) = (l.invoice_id, l.line_no)
        )
        """,
    )
    assert mismatched == 0


async def test_a_run_waits_for_the_one_that_holds_the_accounts(db: Database) -> None:
    await _use(db)
    async with db.transaction() as connection:
        await connection.execute(text("SELECT FROM account WHERE attribution_id = :id FOR UPDATE"), {"id": ACCOUNTS[5]})
        run = asyncio.create_task(claim_page(db, scope(), card()))
        await _until_waiting(db)
        assert not run.done()
    assert len((await run).keys) == len(ACCOUNTS)


async def test_without_the_lock_the_constraint_still_refuses(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await _use(db)
    await execute(db, "DELETE FROM reopened_usage")  # the second claim would wait for the rows that the first takes
    held = asyncio.Event()
    release = asyncio.Event()

    def unlocked(topic: str, name: str) -> object:
        found = queries.statement(topic, name)
        return text(found.text.replace("FOR UPDATE", "")) if name == "lock_accounts" else found

    write = claim_writing.write_invoices

    async def write_and_hold(*arguments: object) -> None:
        await write(*arguments)  # type: ignore[arg-type]
        held.set()
        await release.wait()

    refused: list[str] = []
    is_refused = refusals.is_refused

    def note(error: IntegrityError) -> bool:
        refused.append(getattr(error.orig, "sqlstate", ""))
        return is_refused(error)

    monkeypatch.setattr(claims, "is_refused", note)
    monkeypatch.setattr(assessing, "statement", unlocked)
    monkeypatch.setattr(claims, "write_invoices", write_and_hold)
    first = asyncio.create_task(claim_page(db, scope(), card()))
    await held.wait()
    monkeypatch.setattr(claims, "write_invoices", write)
    second = asyncio.create_task(claim_page(db, cancellation("sub", may(20)), card()))
    await _until_waiting(db)
    release.set()
    assert len((await first).keys) == len(ACCOUNTS)
    assert (await second).keys == ()
    assert refused == ["23P01"]  # it tried again, account by account: nothing is left
    assert len(await claimed(db)) == 8 * len(ACCOUNTS)


async def test_an_import_that_moves_an_instance_waits_for_the_claim(db: Database) -> None:
    """Otherwise the instance would be billed to one account and belong to another."""
    await add_account(db, "team:a")
    await add_account(db, "team:b")
    await add_instances(db, instance("i", may(2), may(3)))
    async with db.transaction() as connection:
        await connection.execute(text("SELECT FROM account WHERE attribution_id = 'team:a' FOR UPDATE"))
        run = asyncio.create_task(claim_page(db, scope(), card()))
        await _until_waiting(db)
        move = asyncio.create_task(upsert_instances(db, [instance("i", may(2), may(3), attribution_id="team:b")]))
        await _until_waiting(db, 2)
    assert len((await run).keys) == 1
    result = await move
    assert [(fault.line, fault.column) for fault in result.faults] == [(1, "attribution_id")]
    assert (await claim_page(db, june(), card())).keys == ()


EARLIER = instance("i", may(2), may(4))
AGAIN = instance("i", may(8), may(9), attribution_id="team:b")
SHORTER = instance("i", may(2), may(3))


@pytest.mark.parametrize(
    ("known", "row", "options"),
    [([EARLIER], SHORTER, FILE), ([EARLIER, AGAIN], AGAIN, ImportOptions(correct=True))],
    ids=["row", "correction"],
)
async def test_an_import_that_moves_a_time_waits_for_the_claim(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    known: list[InstanceRow],
    row: InstanceRow,
    options: ImportOptions,
) -> None:
    """Otherwise it would not see the concurrent claim, and not report that it is too much."""
    await add_account(db)
    for each in known:
        await add_instances(db, each)
    held, release = asyncio.Event(), asyncio.Event()
    write = claim_writing.write_invoices

    async def write_and_hold(*arguments: object) -> None:
        await write(*arguments)  # type: ignore[arg-type]
        held.set()
        await release.wait()

    monkeypatch.setattr(claims, "write_invoices", write_and_hold)
    run = asyncio.create_task(claim_page(db, scope(), card()))
    await held.wait()
    stop = asyncio.create_task(upsert_instances(db, [row], options))
    try:
        await _until_waiting(db)
    finally:
        release.set()
        await asyncio.gather(run, stop)
    assert list((await stop).misbilled) == ["i"]
    assert await claimed(db) == [("i", may(2), may(4))]


async def test_a_fact_with_another_workspace_is_refused_by_a_claim_that_it_waited_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim's report has the workspace that it has read."""
    await add_account(db)
    row = instance("i", may(2), may(4))
    await add_instances(db, replace(row, updated_at=may(4)))
    held, release = asyncio.Event(), asyncio.Event()
    write = claim_writing.write_invoices

    async def write_and_hold(*arguments: object) -> None:
        await write(*arguments)  # type: ignore[arg-type]
        held.set()
        await release.wait()

    monkeypatch.setattr(claims, "write_invoices", write_and_hold)
    run = asyncio.create_task(claim_page(db, scope(), card()))
    await held.wait()
    moved = asyncio.create_task(upsert_instances(db, [replace(row, workspace_id="other", updated_at=may(5))]))
    try:
        await _until_waiting(db)
    finally:
        release.set()
        await asyncio.gather(run, moved)
    assert [fault.column for fault in (await moved).faults] == ["workspace_id"]
    assert [tuple(each) for each in await fetch(db, "SELECT workspace_id FROM workspace_instance")] == [("ws-i",)]


async def test_a_claim_waits_for_the_import_that_moves_a_time(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(4)))
    held, release = asyncio.Event(), asyncio.Event()
    look = results.misbilled_by_instance

    async def look_and_hold(*arguments: object) -> dict[str, list[MisbilledUsage]]:
        found = await look(*arguments)  # type: ignore[arg-type]
        held.set()
        await release.wait()
        return found

    monkeypatch.setattr(instances, "misbilled_by_instance", look_and_hold)
    stop = asyncio.create_task(upsert_instances(db, [instance("i", may(2), may(3))]))
    await held.wait()
    run = asyncio.create_task(claim_page(db, scope(), card()))
    try:
        await _until_waiting(db)
    finally:
        release.set()
        await asyncio.gather(run, stop)
    assert (await stop).misbilled == {}
    assert await claimed(db) == [("i", may(2), may(3))]


async def test_a_window_that_moves_waits_for_the_claim(db: Database) -> None:
    await add_account(db, "team:a", (may(2), None))
    await add_instances(db, instance("i", may(1), None))
    async with db.transaction() as connection:
        await connection.execute(text("SELECT FROM account WHERE attribution_id = 'team:a' FOR UPDATE"))
        end = asyncio.create_task(put_window(db, "team:a", "sub_1", may(2), may(9)))
        await _until_waiting(db)
        run = asyncio.create_task(claim_page(db, scope(), card()))
        await _until_waiting(db, 2)
    await end
    await run
    assert await claimed(db) == [("i", may(2), may(9))]
