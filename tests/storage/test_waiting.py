"""What waits, of each kind: found with its reason, amount, command and page, and nothing that does not wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from billing.invoice.policy import ChargeOn
from storage.postgres.database import Database
from storage.waiting.kinds import ELSEWHERE, RESOLUTIONS, WaitingKind
from storage.waiting.waiting import WaitingThing, read_waiting, read_waiting_totals
from tests.storage.audits import A, billed_world
from tests.storage.planting import CREDIT, DISPUTE, NEW, OF_A, OLD, SOURCE
from tests.storage.usage import add_account, add_instances, execute, instance, may
from tests.storage.waiting import (
    AMOUNT,
    FINDING,
    HELD,
    OF_INVOICES,
    OF_NO_ACCOUNT,
    OF_THE_ACCOUNT,
    YESTERDAY,
    draft,
    terms,
)

ROOT = Path(__file__).parents[2]


async def _found(db: Database, sql: str, kind: WaitingKind) -> WaitingThing:
    await billed_world(db)
    await execute(db, sql)
    [found] = await read_waiting(db, terms())
    [total] = await read_waiting_totals(db, terms())
    assert (found.kind, total.kind) == (kind, kind)
    assert (total.things, total.since, total.amounts) == (found.things, found.since, found.amounts)
    return found


def _named(planted: list[tuple[WaitingKind, str, str]]) -> list[str]:
    return [str(each[0]) for each in planted]


@pytest.mark.parametrize(("kind", "sql", "command"), OF_INVOICES, ids=_named(OF_INVOICES))
async def test_an_invoice_that_waits(db: Database, kind: WaitingKind, sql: str, command: str) -> None:
    found = await _found(db, sql, kind)
    assert (found.subject, found.invoice_key, found.command, found.amounts) == (A, A, command, AMOUNT)
    assert found.reason
    assert await read_waiting(db, terms(), period="2022-05", attribution_id="team:a") == [found]
    assert await read_waiting(db, terms(), attribution_id="team:b") == []
    assert await read_waiting(db, terms(), period="2022-06") == []


@pytest.mark.parametrize(("kind", "sql", "command"), OF_THE_ACCOUNT, ids=_named(OF_THE_ACCOUNT))
async def test_what_waits_of_an_account(db: Database, kind: WaitingKind, sql: str, command: str) -> None:
    found = await _found(db, sql, kind)
    assert (found.command, found.attribution_id, found.billing_period) == (command, "team:a", "2022-05")


@pytest.mark.parametrize(("kind", "sql", "command"), OF_NO_ACCOUNT, ids=_named(OF_NO_ACCOUNT))
async def test_what_waits_besides(db: Database, kind: WaitingKind, sql: str, command: str) -> None:
    found = await _found(db, sql, kind)
    assert found.command == command
    assert found.amounts == (AMOUNT if kind is WaitingKind.PERIOD_HELD else {})


async def test_a_blocked_subscription_is_resolved_in_stripe(db: Database) -> None:
    await execute(db, f"INSERT INTO subscription_fault VALUES ('sub_1', 'team:a', 'why', {NEW})")
    [found] = await read_waiting(db, terms())
    assert (found.kind, found.subject, found.command) == (WaitingKind.SUBSCRIPTION_BLOCKED, "sub_1", "")
    assert found.page == "subscription-blocked"


async def test_details_that_stripe_refuses(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await execute(
        db,
        "INSERT INTO details_to_send (attribution_id, source, refused)"
        " VALUES ('team:a', 'app', true), ('team:b', 'app', false)",
    )
    [found] = await read_waiting(db, terms(), attribution_id="team:a")
    assert (found.kind, found.command) == (WaitingKind.DETAILS_REFUSED, "perdure accounts send")
    assert await read_waiting(db, terms()) == [found]


async def test_details_that_do_not_get_to_stripe(db: Database) -> None:
    await add_account(db)
    await execute(db, f"INSERT INTO details_to_send (attribution_id, source, since) VALUES ('team:a', 'app', {NEW})")
    [found] = await read_waiting(db, terms())
    assert (found.kind, found.subject) == (WaitingKind.DETAILS_UNSENT, "team:a")
    assert (found.command, found.page) == ("perdure worker --queue stripe", "workers-down")


async def test_a_run_that_began_and_has_not_ended(db: Database) -> None:
    await billed_world(db)
    await execute(db, f"UPDATE invoice SET state = 'claimed', claimed_at = {OLD}, updated_at = now()")
    found = [each for each in await read_waiting(db, terms()) if each.kind is not WaitingKind.AUDIT_OVERDUE]
    assert [(each.kind, each.command) for each in found] == [
        (WaitingKind.PERIOD_UNFINISHED, "perdure period run 2022-05")
    ]
    await execute(db, "INSERT INTO period_summary (billing_period, summary) VALUES ('2022-05', '{}')")
    assert WaitingKind.PERIOD_UNFINISHED not in {each.kind for each in await read_waiting(db, terms())}


async def test_a_month_that_was_not_run(db: Database) -> None:
    await add_account(db)
    assert await read_waiting(db, terms()) == []
    await add_instances(db, instance("i-1", may(2), may(3)))
    [found] = await read_waiting(db, terms())
    assert (found.kind, found.since, found.command) == (
        WaitingKind.PERIOD_NOT_RUN,
        may(32),
        "perdure period run 2022-05",
    )


async def test_a_month_that_only_subscriptions_or_sources_concern_was_not_forgotten(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i-1", may(2), may(3)))
    await execute(db, "UPDATE subscription SET stripe_subscription_id = 'sub_1'")
    [found] = await read_waiting(db, terms())
    assert found.kind is WaitingKind.PERIOD_NOT_RUN
    assert await read_waiting(db, replace(terms(), charge_on=ChargeOn.SUBSCRIPTION)) == []
    await execute(db, f"{SOURCE} '2022-05-20', {OLD}, NULL, NULL, NULL)")
    assert {each.kind for each in await read_waiting(db, terms())} == {WaitingKind.SOURCE_LATE}


async def test_what_stripe_alone_knows_is_told_by_the_audit(db: Database) -> None:
    await billed_world(db)
    await execute(db, FINDING.format(at="now()", check="stripe", kind="collection_stopped", times=1))
    [found] = await read_waiting(db, terms(), period="2022-05")
    assert (found.kind, found.subject) == (WaitingKind.AUDIT_FINDING, "collection_stopped")
    await execute(db, f"UPDATE invoice SET collection_stopped_at = {NEW} WHERE id = {OF_A}")
    assert [each.kind for each in await read_waiting(db, terms())] == [WaitingKind.NOT_COLLECTED]


async def test_an_earlier_month_that_was_not_run_is_told_by_the_audit(db: Database) -> None:
    planted = FINDING.format(at="now()", check="nothing-stuck", kind="period_not_run", times=1)
    await execute(
        db, planted.replace("'why'", "'since 2022-05-01T00:00:00+00:00: 2022-04 has ended but was never run'")
    )
    [found] = await read_waiting(db, terms())
    assert (found.kind, found.billing_period) == (WaitingKind.AUDIT_FINDING, "2022-04")
    await execute(db, "INSERT INTO period_summary (billing_period, summary) VALUES ('2022-05', '{}')")
    assert await read_waiting(db, terms()) == []


async def test_a_webhook_is_silent_while_stripe_tries_again(db: Database) -> None:
    for missed, found in ((NEW, [WaitingKind.WEBHOOK_SILENT]), (OLD, [])):
        await execute(db, "DELETE FROM stripe_event_cursor")
        await execute(
            db,
            "INSERT INTO stripe_event_cursor (name, event_id, event_created, undelivered, undelivered_at, delivered_at)"
            f" VALUES ('stripe-events', 'evt_1', {OLD}, 1, {missed}, now() - interval '9 days')",
        )
        waiting = await read_waiting(db, terms())
        assert [each.kind for each in waiting] == found
        assert all(timedelta(days=2) <= terms().now - each.since < timedelta(days=3) for each in waiting)


async def test_refused_rows_of_a_source_that_was_removed_wait_for_nobody(db: Database) -> None:
    await execute(db, f"{SOURCE} {OLD}, {OLD}, NULL, NULL, now())")
    await execute(
        db, "INSERT INTO source_fault (source, subject, field, reason) VALUES ('product', 'i-1', 'quantity', 'why')"
    )
    assert await read_waiting(db, terms()) == []


async def test_details_that_no_worker_stores(db: Database) -> None:
    for waits in (True, False):
        await execute(
            db,
            "INSERT INTO pending_details (attribution_id, at, source, content, waits, received_at)"
            f" VALUES ('team:a', now(), 'app', '{{}}', {waits}, {NEW})",
        )
    [found] = await read_waiting(db, terms(), attribution_id="team:a")
    assert (found.kind, found.command) == (WaitingKind.FACTS_UNMERGED, "perdure worker --queue sources")


async def test_what_moves_or_needs_nobody_does_not_wait(db: Database) -> None:
    await billed_world(db)
    for sql in (
        draft(updated_at=NEW),
        f"UPDATE invoice SET state = 'paid', collection_stopped_at = {NEW} WHERE id = {OF_A}",
        CREDIT.format("'requested'", f"{NEW}, NULL"),
        f"{DISPUTE} SELECT 'dp', id, 1, 'usd', 'x', 'under_review', {OLD}, NULL FROM invoice WHERE id = {OF_A}",
        f"{SOURCE} now(), {OLD}, NULL, NULL, NULL)",
        (
            "INSERT INTO stripe_event_cursor (name, event_id, event_created, updated_at)"
            f" VALUES ('stripe-events', 'evt_1', {OLD}, now())"
        ),
        FINDING.format(at="now()", check="nothing-stuck", kind="invoice_blocked", times=1),
    ):
        await execute(db, sql)
    assert await read_waiting(db, terms()) == []
    assert await read_waiting_totals(db, terms()) == []


async def test_the_newest_audit_alone_counts(db: Database) -> None:
    await execute(db, FINDING.format(at=YESTERDAY, check="reports", kind="report_missing", times=1))
    await execute(db, "INSERT INTO audit_run (id, stuck_after, finished_at) VALUES ('all-2', interval '3 days', now())")
    assert await read_waiting(db, terms()) == []


async def test_oldest_first_and_at_most_so_many_of_a_kind(db: Database) -> None:
    for number in range(5):
        await execute(
            db,
            "INSERT INTO subscription_fault VALUES"
            f" ('sub_{number}', 'team:a', 'why', now() - {number} * interval '1 hour')",
        )
    await execute(db, HELD)
    found = await read_waiting(db, terms(), most=2)
    assert [each.subject for each in found] == ["sub_4", "sub_3", "2022-05"]
    totals = await read_waiting_totals(db, terms())
    assert [(each.kind, each.things) for each in totals] == [
        (WaitingKind.SUBSCRIPTION_BLOCKED, 5),
        (WaitingKind.PERIOD_HELD, 1),
    ]


def test_every_kind_has_its_page_and_is_planted_above() -> None:
    planted = {each[0] for each in (*OF_INVOICES, *OF_THE_ACCOUNT, *OF_NO_ACCOUNT)}
    by_themselves = {
        WaitingKind.SUBSCRIPTION_BLOCKED,
        WaitingKind.DETAILS_REFUSED,
        WaitingKind.DETAILS_UNSENT,
        WaitingKind.PERIOD_UNFINISHED,
        WaitingKind.PERIOD_NOT_RUN,
    }
    assert planted | by_themselves | ELSEWHERE == set(WaitingKind) == set(RESOLUTIONS)
    for resolution in RESOLUTIONS.values():
        assert (ROOT / f"docs/on-call/{resolution.page}.md").exists()
