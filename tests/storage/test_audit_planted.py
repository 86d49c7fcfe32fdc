"""Each kind of discrepancy is planted, found with its ids, and not found if it is out of scope."""

from __future__ import annotations

from typing import Any

import pytest

from billing.audit.checks import AuditScope, Check
from billing.invoice.states import InvoiceState
from storage.audit.checks import run_database_check
from storage.audit.parameters import CheckInput
from storage.audit.runs import load_audit
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.audits import CARD, STUCK_AFTER, A, B, Reported, audit, billed_world, reported
from tests.storage.usage import card, execute, fetch, may

OF_A = "(SELECT id FROM invoice WHERE attribution_id = 'team:a')"
C, L, I = Check.CONSERVATION, Check.CLAIMS_AND_LINES, Check.LINES_AND_INVOICES  # noqa: E741

PLANTED: list[tuple[str, Check, str, list[Reported]]] = [
    ("a stop is corrected", C, "UPDATE workspace_instance SET stopping_time = '2022-05-02T12:00Z' WHERE id = 'a1'",
     [("claimed_beyond_runtime", "a1", A)]),
    ("a window is corrected", C,
     "UPDATE subscription SET during = tstzrange(lower(during), '2022-05-16T06:00Z') WHERE attribution_id = 'team:a'",
     [("claimed_outside_windows", "a3", A)]),
    ("an instance is gone", C, "DELETE FROM workspace_instance WHERE id = 'a1'",
     [("claimed_of_unknown_instance", "a1", A)]),
    ("an instance is another's", C, "UPDATE workspace_instance SET attribution_id = 'team:c' WHERE id = 'a1'",
     [("claimed_for_other_account", "a1", A)]),
    ("a cutoff is moved", C, f"UPDATE invoice SET cutoff = '2022-05-16T06:00Z' WHERE id = {OF_A}",
     [("claimed_after_cutoff", "a3", A)]),
    ("a rate starts later", C,
     f"UPDATE invoice_line SET rate_from = '2022-05-02T12:00Z' WHERE invoice_id = {OF_A} AND line_no = 1",
     [("claimed_before_rate", "a1", A)]),
    ("a line has more time", L,
     f"UPDATE invoice_line SET duration_us = duration_us + 1 WHERE invoice_id = {OF_A} AND line_no = 1",
     [("line_differs_from_claims", "", A)]),
    ("a line carries more", L,
     f"UPDATE invoice_line SET carried_us = carried_us + 1 WHERE invoice_id = {OF_A} AND workspace_class = 'xl'",
     [("carried_differs_from_claims", "", A)]),
    ("claims are gone", L, f"DELETE FROM claim WHERE invoice_id = {OF_A}",
     [*[("days_differ_from_claims", "", A)] * 3, ("invoice_without_claims", "", A)]),
    ("claims are on no line", L, "UPDATE claim SET line_no = 9 WHERE instance_id = 'a2'",
     [("claims_without_line", "", A), *[("days_differ_from_claims", "", A)] * 2, ("line_differs_from_claims", "", A)]),
    ("claims are on no invoice", L, "UPDATE claim SET invoice_id = 0 WHERE instance_id = 'a2'",
     [("claims_without_invoice", "a2", ""), ("days_differ_from_claims", "", A), ("line_differs_from_claims", "", A)]),
    ("an invoice died with its claims", L, f"UPDATE invoice SET state = 'voided' WHERE id = {OF_A}",
     [("claims_of_dead_invoice", "", A), ("days_of_unsettled_invoice", "", A)]),
    ("a live invoice has released", L,
     ("INSERT INTO claim_history (invoice_id, line_no, instance_id, during, reason)"
      " SELECT invoice_id, line_no, instance_id, during, 'voided' FROM claim WHERE instance_id = 'a2'"),
     [("released_of_live_invoice", "", A)]),
    ("a class is changed", C, "UPDATE workspace_instance SET workspace_class = NULL WHERE id = 'a2'",
     [("wrong_class", "a2", A)]),
    ("a quantity is changed", C, "UPDATE workspace_instance SET quantity = 2 WHERE id = 'a2'",
     [("wrong_quantity", "a2", A)]),
    ("a claim has another quantity", L, "UPDATE claim SET quantity = 2 WHERE instance_id = 'a2'",
     [("days_differ_from_claims", "", A), ("line_differs_from_claims", "", A)]),
    ("a claim is at an earlier rate", L,
     "UPDATE claim SET line_no = 1 WHERE instance_id = 'a3' AND lower(during) = '2022-05-16Z'",
     [*[("days_differ_from_claims", "", A)] * 2, *[("line_differs_from_claims", "", A)] * 2,
      ("wrong_rate_version", "a3", A)]),
    ("a line has more credits", I,
     f"UPDATE invoice_line SET credits = credits + 0.000001 WHERE invoice_id = {OF_A} AND line_no = 1",
     [("wrong_credits", "", A), ("wrong_total", "", A)]),
    ("a line has a greater amount", I,
     f"UPDATE invoice_line SET amount = amount + 1 WHERE invoice_id = {OF_A} AND line_no = 1",
     [("wrong_amount", "", A), ("wrong_total", "", A)]),
    ("an invoice has a greater amount", I, f"UPDATE invoice SET amount = amount + 1 WHERE id = {OF_A}",
     [("wrong_total", "", A)]),
    ("a line has another price", I,
     f"UPDATE invoice_line SET price_per_credit = 0.0360000001 WHERE invoice_id = {OF_A} AND line_no = 1",
     [("wrong_rate", "", A)]),
    ("a line is said to be rated as default", I,
     f"UPDATE invoice_line SET rated_as_default = true WHERE invoice_id = {OF_A} AND line_no = 1",
     [("wrong_rate", "", A)]),
    ("a line has a version that there is not", I,
     f"UPDATE invoice_line SET rate_from = rate_from + interval '1 day' WHERE invoice_id = {OF_A} AND line_no = 1",
     [("wrong_rate", "", A)]),
    ("a key is changed", I, f"UPDATE invoice SET subject = 'x' WHERE id = {OF_A}", [("wrong_key", "", A)]),
    ("a billed invoice was never finalized", I, f"UPDATE invoice SET finalized_at = NULL WHERE id = {OF_A}",
     [("inconsistent_state", "", A)]),
    ("a billed invoice is paid by its instants", I, f"UPDATE invoice SET paid_at = now() WHERE id = {OF_A}",
     [("inconsistent_state", "", A)]),
    ("a billed invoice is in no Stripe", I,
     f"UPDATE invoice SET stripe_invoice_id = NULL, report_id = NULL WHERE id = {OF_A}",
     [("inconsistent_state", "", A)]),
    ("a blocked invoice is judged by the state that it resumes in", I,
     ("UPDATE invoice SET state = 'blocked', resume_state = 'billed', blocked_reason = 'x', blocked_since = now(),"
     f" billed_at = NULL WHERE id = {OF_A}"),
     [("inconsistent_state", "", A)]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "sql", "expected"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
async def test_what_is_planted_is_found(db: Database, check: Check, sql: str, expected: list[Reported]) -> None:
    await billed_world(db)
    await execute(db, sql.replace(":", r"\:"))
    _, findings = await audit(db, check)
    assert reported(findings) == expected
    assert {each.attribution_id for each in findings} == {"team:a"}
    assert reported((await audit(db, check, period="2022-05", attribution_id="team:a"))[1]) == expected
    assert (await audit(db, check, attribution_id="team:b"))[1] == []
    assert (await audit(db, check, period="2022-06"))[1] == []


async def test_the_billed_world_is_clean(db: Database) -> None:
    await billed_world(db)
    scopes: list[dict[str, Any]] = [{}, {"period": "2022-05"}, {"attribution_id": "team:a"}, {"period": "2022-06"}]
    for check in (Check.NEVER_TWICE, C, L, I, Check.NOTHING_STUCK):
        for only in scopes:
            assert reported((await audit(db, check, **only))[1]) == []


async def test_what_was_released_is_what_had_been_billed(db: Database) -> None:
    await billed_world(db)
    await move_invoice(db, A, InvoiceState.VOIDED, may(34))
    assert reported((await audit(db, L))[1]) == []
    await execute(db, "DELETE FROM claim_history WHERE instance_id = 'a1'")
    assert reported((await audit(db, L))[1]) == [("history_differs", "", A)]


async def test_an_invoice_rated_by_another_card_is_not_held_against_this_one(db: Database) -> None:
    await billed_world(db)
    await execute(db, "UPDATE invoice SET rate_card_digest = 'another'")
    await execute(db, "UPDATE invoice_line SET rated_as_default = true")
    record, findings = await audit(db, I)
    assert reported(findings) == []
    assert record.figures["rated_by_other_cards"] == 2


async def test_an_invoice_is_compared_with_the_card_that_rated_it(db: Database) -> None:
    """Today's card has other rates and prices, and the invoices' card is stored."""
    await billed_world(db)
    today = card(credits_per_minute={"default": "7"}, price_per_credit={"usd": "0.07"})
    record, findings = await audit(db, I, rate_card=today)
    assert reported(findings) == []
    assert record.figures["rated_by_other_cards"] == 0
    await execute(db, "UPDATE invoice_line SET rated_as_default = NOT rated_as_default")
    assert {kind for kind, _, _ in reported((await audit(db, I, rate_card=today))[1])} == {"wrong_rate"}


async def test_two_live_invoices(db: Database) -> None:
    await billed_world(db)
    [[definition]] = await fetch(db, "SELECT indexdef FROM pg_indexes WHERE indexname = 'invoice_one_live'")
    await execute(db, "DROP INDEX invoice_one_live")
    try:
        await execute(
            db, "UPDATE invoice SET key = key || '/2', ordinal = 2, attribution_id = 'team:a' WHERE key = :key", key=B
        )
        assert reported((await audit(db, I))[1]) == [("two_live_invoices", "", A), ("wrong_key", "", B + "/2")]
    finally:
        await execute(db, "UPDATE invoice SET attribution_id = 'team:b' WHERE key = :key", key=B + "/2")
        await execute(db, definition)


async def test_a_later_try_forgets_what_an_earlier_one_found(db: Database) -> None:
    await billed_world(db)
    await execute(db, "UPDATE invoice SET amount = amount + 1")
    first, found = await audit(db, I)
    assert first.discrepancies == len(found) == 2
    [[audit_id]] = await fetch(db, "SELECT id FROM audit_run ORDER BY started_at DESC LIMIT 1")
    await execute(db, "UPDATE invoice SET amount = amount - 1 WHERE key = :key", key=A)
    given = CheckInput(audit_id, I, AuditScope(), STUCK_AFTER, bill_after=None, rate_card=CARD, now=may(40))
    again = await run_database_check(db, given)
    assert again.discrepancies == 1
    kept = await load_audit(db, audit_id)
    assert kept is not None
    assert kept.checks == (again,)
