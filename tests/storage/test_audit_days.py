"""The audit proves usage by day against claims and lines, and the sums by period against the days."""

from __future__ import annotations

import pytest

from billing.audit.checks import Check
from storage.postgres.database import Database
from storage.totals.days import fill_days, sum_up
from tests.storage.audits import A, Reported, audit, reported
from tests.storage.settled_world import C, settled_world
from tests.storage.usage import execute

OF_A = f"(SELECT id FROM invoice WHERE key = '{A}')"
FIRST = f"(invoice_id, line_no, day) = ({OF_A}, 1, '2022-04-30')"
DIFFER, LINE = ("days_differ_from_claims", "", A), ("days_differ_from_line", "", A)
SUM: Reported = ("sums_by_day_differ", "", "")

PLANTED: list[tuple[str, str, list[Reported]]] = [
    ("a day is longer", f"UPDATE invoice_day SET duration_us = duration_us + 1 WHERE {FIRST}", [DIFFER, SUM]),
    ("a day has more quantity", f"UPDATE invoice_day SET quantity_us = quantity_us + 1 WHERE {FIRST}", [DIFFER, SUM]),
    ("a day is another", f"UPDATE invoice_day SET day = '2022-04-01' WHERE {FIRST}", [DIFFER, SUM, SUM]),
    ("a day costs more", f"UPDATE invoice_day SET amount = amount + 1 WHERE {FIRST}", [LINE, SUM]),
    ("a day has more credits", f"UPDATE invoice_day SET credits = credits + 0.000001 WHERE {FIRST}", [LINE, SUM]),
    ("an amount is shared out otherwise",
     ("UPDATE invoice_day SET amount = amount + CASE day WHEN '2022-04-30' THEN 1 ELSE -1 END"
      f" WHERE (invoice_id, line_no) = ({OF_A}, 1) AND day IN ('2022-04-30', '2022-05-01')"),
     [LINE, SUM, SUM]),
    ("days are gone", f"DELETE FROM invoice_day WHERE invoice_id = {OF_A}", [("days_missing", "", A), *[SUM] * 18]),
    ("an invoice is voided by hand", "UPDATE invoice SET state = 'voided' WHERE currency = 'jpy'",
     [("claims_of_dead_invoice", "", C), ("days_of_unsettled_invoice", "", C)]),
    ("days are of no invoice", "INSERT INTO invoice_day VALUES (0, 1, '2022-05-01', 1, 1, 0, 0)",
     [("days_of_unsettled_invoice", "", "")]),
    ("a sum is wrong", "UPDATE period_day SET amount = amount + 1 WHERE currency = 'jpy' AND day = '2022-05-05'",
     [SUM]),
    ("an invoice is summed up twice", f"INSERT INTO period_day_pending VALUES ({OF_A})", [SUM] * 18),
]  # fmt: skip


async def _found(db: Database) -> list[Reported]:
    return reported((await audit(db, Check.CLAIMS_AND_LINES))[1])


@pytest.mark.parametrize(("sql", "expected"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
async def test_what_is_planted_is_found_and_mended(db: Database, sql: str, expected: list[Reported]) -> None:
    await settled_world(db)
    await sum_up(db)
    assert await _found(db) == []
    await execute(db, sql.replace(":", r"\:"))
    assert await _found(db) == sorted(expected)
    await execute(db, f"DELETE FROM invoice_day WHERE invoice_id IN ({OF_A}, 0)".replace(":", r"\:"))
    await fill_days(db)
    assert {kind for kind, _, _ in await _found(db)} <= {"claims_of_dead_invoice"}
