"""The audit reports everything that waits too long, since when and why, and nothing that moves or waits as intended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.audit.checks import Check
from billing.invoice.policy import ChargeOn, Policy
from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.audits import CARD, A, Reported, audit, billed_world, reported
from tests.storage.planting import CREDIT, DISPUTE, NEW, OF_A, OLD, OVER, PAUSED, SOURCE, WAITS_FOR_COLLECTION
from tests.storage.usage import add_account, add_instances, execute, instance, june, may, scope

S = Check.NOTHING_STUCK
PLANTED: list[tuple[str, str, list[Reported]]] = [
    ("a draft", f"UPDATE invoice SET state = 'draft', updated_at = {OLD} WHERE id = {OF_A}",
     [("invoice_stuck", "", A)]),
    ("a draft in motion", f"UPDATE invoice SET state = 'draft', updated_at = {NEW} WHERE id = {OF_A}", []),
    ("a billed invoice waits for nobody", f"UPDATE invoice SET updated_at = {OLD}", []),
    ("a grace that has not ended",
     (f"UPDATE invoice SET state = 'draft', updated_at = {OLD}, finalization = 'grace', finalize_at = now()"
     f" WHERE id = {OF_A}"), []),
    ("a grace that is over",
     (f"UPDATE invoice SET state = 'draft', updated_at = {OLD}, finalization = 'grace', finalize_at = {OLD}"
     f" WHERE id = {OF_A}"), [("invoice_stuck", "", A)]),
    ("an approval",
     (f"UPDATE invoice SET state = 'draft', updated_at = {OLD}, finalization = 'approval', drafted_at = {OLD}"
     f" WHERE id = {OF_A}"), [("awaits_approval", "", A)]),
    ("an approval that was given",
     (f"UPDATE invoice SET state = 'draft', finalization = 'approval', drafted_at = {OLD}, approved_amount = 1,"
     f" approved_at = now() WHERE id = {OF_A}"), []),
    ("a block",
     (f"UPDATE invoice SET state = 'blocked', resume_state = 'draft', blocked_reason = 'x', blocked_since = {OLD}"
     f" WHERE id = {OF_A}"), [("invoice_blocked", "", A)]),
    ("paused collection", PAUSED + WAITS_FOR_COLLECTION, []),
    ("collection that is paused no more", WAITS_FOR_COLLECTION, [("invoice_blocked", "", A)]),
    ("a pause that has ended", OVER + WAITS_FOR_COLLECTION, [("invoice_blocked", "", A)]),
    ("a void", f"UPDATE invoice SET void_requested_at = {OLD} WHERE id = {OF_A}", [("void_stuck", "", A)]),
    ("a credit note", CREDIT.format("'requested'", f"{OLD}, NULL"), [("credit_note_stuck", "", A)]),
    ("a credit note in motion", CREDIT.format("'requested'", f"{NEW}, NULL"), []),
    ("a blocked credit note", CREDIT.format("'blocked'", f"{OLD}, 'x'"), [("credit_note_blocked", "", A)]),
    ("an account",
     ("INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency, updated_at)"
     f" VALUES ('2022-05', 'team:a', 'blocked', 'x', 0, 'usd', {OLD})"), [("account_blocked", "", "")]),
    ("a dispute", (f"{DISPUTE} SELECT 'dp', id, 1, 'usd', 'x', 'needs_response', {OLD}, NULL FROM invoice"
     f" WHERE id = {OF_A}"), [("dispute_unanswered", "", A)]),
    ("a dispute that was answered", (f"{DISPUTE} SELECT 'dp', id, 1, 'usd', 'x', 'under_review', {OLD}, NULL"
     f" FROM invoice WHERE id = {OF_A}"), []),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
async def test_what_waits(db: Database, sql: str, expected: list[Reported]) -> None:
    await billed_world(db)
    await execute(db, sql)
    _, findings = await audit(db, S)
    assert reported(findings) == expected
    assert all(each.detail.startswith("since 20") and each.attribution_id == "team:a" for each in findings)
    assert reported((await audit(db, S, period="2022-05", attribution_id="team:a"))[1]) == expected
    assert (await audit(db, S, attribution_id="team:b"))[1] == []
    assert (await audit(db, S, period="2022-06"))[1] == []


@pytest.mark.parametrize(
    ("sql", "kind", "unseen"),
    [
        (f"INSERT INTO subscription_fault VALUES ('sub_1', 'team:a', 'x', {OLD})", "subscription_blocked",
         [{"period": "2022-05"}, {"attribution_id": "team:b"}]),
        (f"INSERT INTO period_hold (billing_period, reason, since, totals) VALUES ('2022-05', 'x', {OLD}, '{{}}')",
         "period_held", [{"period": "2022-06"}, {"attribution_id": "team:a"}]),
        (("INSERT INTO stripe_event_cursor (name, event_id, event_created, updated_at)"
         f" VALUES ('events', 'evt_1', {OLD}, {OLD})"), "events_unread",
         [{"period": "2022-05"}, {"attribution_id": "team:a"}]),
        (f"{SOURCE} now(), {OLD}, 'x', {OLD}, NULL)", "source_stale",
         [{"period": "2022-05"}, {"attribution_id": "team:a"}]),
    ],
)  # fmt: skip
async def test_what_waits_besides_invoices(db: Database, sql: str, kind: str, unseen: list[dict[str, Any]]) -> None:
    await execute(db, sql)
    assert reported((await audit(db, S))[1]) == [(kind, "", "")]
    for scope_of in unseen:
        assert (await audit(db, S, **scope_of))[1] == []
    assert (await audit(db, S, now=datetime.now(UTC) - timedelta(days=2)))[1] == []


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        (f"now() - interval '4 hours', {OLD}, NULL, NULL, NULL)", "says nothing about the time after that"),
        ("now() - interval '3 hours', now(), NULL, NULL, NULL)", None),
        ("NULL, now() - interval '4 hours', NULL, NULL, NULL)", "has never been read"),
        ("NULL, now() - interval '2 hours', NULL, NULL, NULL)", None),
        (f"now(), {OLD}, 'the query is refused', {OLD}, NULL)", "cannot be read: the query is refused"),
        (f"now(), {OLD}, 'the query is refused', {NEW}, NULL)", None),
        (f"{OLD}, {OLD}, NULL, NULL, now())", None),  # removed
    ],
)
async def test_a_source_that_is_behind(db: Database, values: str, finding: str | None) -> None:
    await execute(db, SOURCE + values)
    found = (await audit(db, S))[1]
    assert [each.kind for each in found] == ([] if finding is None else ["source_stale"])
    assert all(finding is not None and finding in each.detail for each in found)


async def _settle(db: Database, period: str, at: datetime) -> None:
    await execute(
        db, "INSERT INTO period_summary (billing_period, summary, settled_at) VALUES (:period, '{}', :at)",
        period=period, at=at,
    )  # fmt: skip


async def _late(db: Database, name: str = "a", **more: Any) -> None:
    await add_instances(db, instance(f"late-{name}", may(20), may(21), attribution_id=f"team:{name}", **more))


UNBILLED = [("unbilled_usage", "late-a", "")]


async def test_late_usage_is_reported_once_a_later_run_has_left_it(db: Database) -> None:
    await billed_world(db)
    await _settle(db, "2022-05", may(33))
    await _late(db)
    record, findings = await audit(db, S, now=may(50))
    assert findings == []  # June's run will bill it
    assert record.figures["unbilled_of_ended_months_us"] == 24 * 3_600_000_000
    await _settle(db, "2022-06", may(64))
    assert (await audit(db, S, now=may(66)))[1] == []  # not for long yet
    assert reported((await audit(db, S, now=may(70)))[1]) == UNBILLED
    assert reported((await audit(db, S, now=may(70), period="2022-05", attribution_id="team:a"))[1]) == UNBILLED
    others: list[dict[str, Any]] = [{"period": "2022-06"}, {"attribution_id": "team:b"}]
    for other in others:
        assert (await audit(db, S, now=may(70), **other))[1] == []
    await claim_page(db, june(), CARD)
    assert [each.kind for each in (await audit(db, S, now=may(70)))[1]] == []


async def test_usage_of_an_account_without_an_invoice_is_reported_after_its_own_months_run(db: Database) -> None:
    await billed_world(db)
    await add_account(db, "team:c")
    await _late(db, "c")
    await _settle(db, "2022-05", may(33))
    assert reported((await audit(db, S, now=may(50)))[1]) == [("unbilled_usage", "late-c", "")]
    await execute(
        db,
        "INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency)"
        " VALUES ('2022-05', 'team:c', 'below_minimum', 'x', 1, 'usd')",
    )
    assert (await audit(db, S, now=may(50)))[1] == []  # carried on


async def test_what_died_lately_is_in_motion(db: Database) -> None:
    await billed_world(db)
    await _settle(db, "2022-05", may(33))
    await move_invoice(db, A, InvoiceState.VOIDED, may(48))
    assert (await audit(db, S, now=may(50)))[1] == []
    assert {each.kind for each in (await audit(db, S, now=may(55)))[1]} == {"unbilled_usage"}


async def test_usage_on_subscriptions_waits_for_their_drafts(db: Database) -> None:
    await billed_world(db)
    await execute(db, "UPDATE subscription SET stripe_subscription_id = 'sub_' || attribution_id")
    await _late(db)
    await _settle(db, "2022-05", may(33))
    await _settle(db, "2022-06", may(64))
    policy = Policy(charge_on=ChargeOn.SUBSCRIPTION)
    assert (await audit(db, S, now=may(70), policy=policy))[1] == []
    assert reported((await audit(db, S, now=may(70)))[1]) == UNBILLED
    for number in (1, 2):
        assert (await audit(db, S, now=may(70), policy=policy))[1] == []
        await execute(
            db,
            """
            INSERT INTO invoice (key, attribution_id, billing_period, reason, subject, state, cutoff, currency, amount,
                                 credits, rate_card_digest, claimed_at)
            VALUES (:key, 'team:a', '2022-06', 'subscription', :key, 'paid', :cutoff, 'usd', 1, 1, '', :cutoff)
            """,
            key=f"in_{number}", cutoff=may(40 + number),
        )  # fmt: skip
    assert reported((await audit(db, S, now=may(70), policy=policy))[1]) == UNBILLED


async def test_a_month_that_was_never_run(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(3)))
    assert (await audit(db, S, now=may(34)))[1] == []
    [finding] = (await audit(db, S, now=may(36)))[1]
    assert finding.kind == "period_not_run"
    assert "2022-05" in finding.detail
    assert (await audit(db, S, now=may(36), period="2022-04"))[1] == []
    await claim_page(db, scope(), CARD)
    await execute(db, "UPDATE invoice SET updated_at = :at", at=may(35))
    assert (await audit(db, S, now=may(36)))[1] == []
