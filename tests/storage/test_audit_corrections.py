"""A corrected invoice is clean, and what contradicts its correction is found."""

from __future__ import annotations

import pytest

from billing.audit.checks import Check
from billing.invoice.states import InvoiceState
from storage.invoices.invoices import load_invoice, move_invoice
from storage.postgres.database import Database
from storage.reports.content import report_content
from tests.storage.audits import A, Reported, audit, billed_world, reported
from tests.storage.corrected_world import CORRECTION, OF_A, corrected_world
from tests.storage.usage import execute, fetch, may

N, C, L, I = Check.NEVER_TWICE, Check.CONSERVATION, Check.CLAIMS_AND_LINES, Check.LINES_AND_INVOICES  # noqa: E741
OF_B = "(SELECT id FROM invoice WHERE attribution_id = 'team:b')"
B = "2022-05/team:b/period"


async def content(db: Database, *, released: bool = False) -> bytes:
    record = await load_invoice(db, A)
    assert record is not None
    return b"".join([piece async for piece in report_content(db, record, released=released)])


async def test_a_corrected_invoice_is_clean_and_keeps_its_report(db: Database) -> None:
    await billed_world(db)
    before = await content(db)
    for table in ("claim", "invoice_day", "period_day_pending", "invoice_line", "invoice"):
        await execute(db, f"DELETE FROM {table}")
    await corrected_world(db)
    assert await content(db) == before
    for check in (N, C, L, I):
        assert reported((await audit(db, check))[1]) == []


async def test_a_corrected_invoice_that_is_voided_is_clean_and_keeps_its_report(db: Database) -> None:
    await corrected_world(db)
    before = await content(db)
    await move_invoice(db, A, InvoiceState.VOIDED, may(34))
    assert await content(db, released=True) == before
    for check in (N, C, L, I):
        assert reported((await audit(db, check))[1]) == []
    assert await fetch(db, "SELECT 1 FROM claim WHERE instance_id LIKE 'a%'") == []


async def test_time_that_was_cut_can_be_billed_by_another_invoice(db: Database) -> None:
    await corrected_world(db)
    await execute(
        db,
        f"INSERT INTO claim (invoice_id, line_no, instance_id, during)"
        f" SELECT {OF_B}, 1, instance_id, during FROM claim_history",
    )
    assert reported((await audit(db, N))[1]) == []


PLANTED: list[tuple[str, Check, str, list[Reported]]] = [
    ("a cut piece is lost", L, "DELETE FROM claim_history WHERE lower(during) = '2022-05-02T12:00Z'",
     [("days_differ_from_claims", "", A), ("line_differs_from_claims", "", A)]),
    ("time is cut that the claim still has", L,
     ("INSERT INTO claim_history (invoice_id, line_no, instance_id, during, quantity, reason, correction_id)"
      " SELECT invoice_id, line_no, instance_id, during, quantity, 'corrected', (SELECT id FROM correction)"
      " FROM claim WHERE instance_id = 'a1'"),
     [("days_differ_from_claims", "", A), ("line_differs_from_claims", "", A)]),
    ("a live invoice has also released", L,
     ("INSERT INTO claim_history (invoice_id, line_no, instance_id, during, reason)"
      " SELECT invoice_id, line_no, instance_id, during, 'voided' FROM claim WHERE instance_id = 'a2'"),
     [("released_of_live_invoice", "", A)]),
    ("a corrected class is lost", L, "UPDATE claim SET corrected_class = NULL WHERE instance_id = 'a2'",
     [("correction_differs_from_claims", "", A)] * 2),
    ("a corrected class is lost for the facts", C, "UPDATE claim SET corrected_class = NULL WHERE instance_id = 'a2'",
     [("wrong_class", "a2", A)]),
    ("a corrected quantity is lost", L, "UPDATE claim SET corrected_quantity = NULL WHERE instance_id = 'a3'",
     [("correction_differs_from_claims", "", A)]),
    ("a corrected quantity is lost for the facts", C,
     "UPDATE claim SET corrected_quantity = NULL WHERE instance_id = 'a3'", [("wrong_quantity", "a3", A)]),
    ("the bill as corrected has more time", L, "UPDATE correction_line SET duration_us = duration_us + 1",
     [("correction_differs_from_claims", "", A)]),
    ("the bill as corrected has other credits", I,
     "UPDATE correction_line SET credits = credits + 0.000001 WHERE line_no = 1", [("wrong_credits", "", A)]),
    ("the bill as corrected has another amount", I, "UPDATE correction_line SET amount = amount + 1 WHERE line_no = 1",
     [("wrong_amount", "", A), ("wrong_total", "", A)]),
    ("the bill as corrected has another price", I,
     "UPDATE correction_line SET price_per_credit = 0.0360000001 WHERE line_no = 1", [("wrong_rate", "", A)]),
    ("the credit note is refused", I, "UPDATE credit_note SET state = 'blocked', blocked_reason = 'x'",
     [("correction_differs", "", A)]),
    ("the credit note is for less", I, "UPDATE credit_note SET amount = amount - 1", [("correction_differs", "", A)]),
    ("the correction owes less", I, "UPDATE correction SET amount = amount - 1",
     [("correction_differs", "", A), ("wrong_total", "", A)]),
    ("a line charges what no correction does", I,
     ("INSERT INTO invoice_line (invoice_id, line_no, workspace_class, rate_from, credits_per_minute, rated_as_default,"
      " price_per_credit, duration_us, carried_us, credits, amount, kind, correction_key)"
      f" VALUES ({OF_B}, 2, 'x', now(), 0, false, 0, 0, 0, 0, 5, 'adjustment', '{CORRECTION}')"),
     [("adjustment_differs", "", B), ("wrong_total", "", B)]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "sql", "expected"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
async def test_what_contradicts_a_correction_is_found(
    db: Database, check: Check, sql: str, expected: list[Reported]
) -> None:
    await corrected_world(db)
    await execute(db, sql.replace(":", r"\:"))
    assert reported((await audit(db, check))[1]) == expected
    assert (await audit(db, check, period="2022-06"))[1] == []


ADJUSTMENT = """
    INSERT INTO adjustment (correction_id, attribution_id, currency, amount, state, invoice_id)
    SELECT id, 'team:a', currency, 5, {} FROM correction
"""
ON_B = """
    INSERT INTO invoice_line (invoice_id, line_no, workspace_class, rate_from, credits_per_minute, rated_as_default,
                              price_per_credit, duration_us, carried_us, credits, amount, kind, correction_key)
    SELECT {}, 2, 'x', '2022-01-01Z', 0, false, (SELECT max(price_per_credit) FROM invoice_line), 0, 0, 0, {},
           'adjustment', key
    FROM correction
"""
FIVE_LESS = "UPDATE credit_note SET amount = amount + 5"


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        ([ADJUSTMENT.format("'waiting', NULL")], []),
        ([ADJUSTMENT.format(f"'charged', {OF_B}"), ON_B.format(OF_B, 5)], []),
        ([ADJUSTMENT.format(f"'charged', {OF_B}")], [("adjustment_differs", "", B)]),
        ([ADJUSTMENT.format(f"'charged', {OF_B}"), ON_B.format(OF_B, 6)], [("adjustment_differs", "", B)]),
        ([ADJUSTMENT.format("'waiting', NULL"), ON_B.format(OF_B, 5)], [("adjustment_differs", "", B)]),
        ([ADJUSTMENT.format("'withdrawn', NULL")], [("correction_differs", "", A)]),
        (
            [ADJUSTMENT.format("'waiting', NULL"), f"UPDATE invoice SET state = 'voided' WHERE id = {OF_A}"],
            [("adjustment_differs", "", A)],
        ),
        (
            [
                ADJUSTMENT.format(f"'charged', {OF_B}"),
                ON_B.format(OF_B, 5),
                f"UPDATE invoice SET state = 'voided' WHERE id = {OF_B}",
            ],
            [("adjustment_differs", "", B)],
        ),
    ],
)
async def test_an_adjustment_is_charged_once_where_it_says(
    db: Database, planted: list[str], expected: list[Reported]
) -> None:
    await corrected_world(db)
    for sql in (FIVE_LESS, *planted):
        await execute(db, sql)
    kinds = {"correction_differs", "adjustment_differs"}
    assert [each for each in reported((await audit(db, I))[1]) if each[0] in kinds] == expected


async def test_a_credit_of_an_adjustments_line_counts_for_the_corrected_invoice(db: Database) -> None:
    await corrected_world(db)
    for sql in (FIVE_LESS, ADJUSTMENT.format(f"'charged', {OF_B}"), ON_B.format(OF_B, 5)):
        await execute(db, sql)
    await execute(
        db,
        "INSERT INTO credit_note (key, invoice_id, kind, amount, currency, settle_to, reason, state, requested_at)"
        f" SELECT 'd', {OF_B}, 'amount', 7, 'usd', 'balance', 'x', 'requested', recorded_at FROM correction",
    )
    await execute(db, "INSERT INTO credit_note_line SELECT id, 2, 3 FROM credit_note WHERE key = 'd'")
    kinds = {"correction_differs", "adjustment_differs"}
    assert [each for each in reported((await audit(db, I))[1]) if each[0] in kinds] == [("correction_differs", "", A)]
    await execute(db, "UPDATE credit_note SET amount = amount - 3 WHERE kind = 'correction'")
    assert [each for each in reported((await audit(db, I))[1]) if each[0] in kinds] == []
