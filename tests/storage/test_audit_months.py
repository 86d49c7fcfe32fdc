"""Included credits and tiers: the audit compares lines and places in months with the credits that they price."""

from __future__ import annotations

import json

import pytest

from billing.audit.checks import Check
from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.audits import BILLED, Reported, audit, move, reported
from tests.storage.usage import add_account, add_instances, cancellation, execute, graduated, instance, may, scope

I = Check.LINES_AND_INVOICES  # noqa: E741
FIRST, SECOND = "2022-05/team:a/cancellation/sub_1", "2022-05/team:a/period"
OF_FIRST = f"(SELECT id FROM invoice WHERE key = '{FIRST}')"
OF_SECOND = f"(SELECT id FROM invoice WHERE key = '{SECOND}')"


async def _two_invoices_of_a_month(db: Database) -> None:
    """2,880 credits up to the 3rd, 1,440 of the 4th; 2,000 are free."""
    await add_account(db, "team:a", (may(1), may(3)), (may(4), None))
    await add_instances(db, instance("a", may(1), may(3)), instance("b", may(4), may(5)))
    await claim_page(db, cancellation("sub_1", may(3), attribution_id="team:a"), graduated())
    await claim_page(db, scope(), graduated())
    await move(db, FIRST, *BILLED)
    await move(db, SECOND, *BILLED)


PLANTED: list[tuple[str, list[Reported]]] = [
    (f"UPDATE invoice_month SET position = position - 1 WHERE invoice_id = {OF_SECOND}",
     [("month_overlap", "", SECOND)]),
    (f"UPDATE invoice_month SET position = position + 1 WHERE invoice_id = {OF_SECOND}", [("month_hole", "", SECOND)]),
    (f"UPDATE invoice_month SET credits = credits + 1 WHERE invoice_id = {OF_SECOND}",
     [("month_credits_differ", "", SECOND)]),
    (f"UPDATE invoice_line SET amount = amount + 1 WHERE invoice_id = {OF_FIRST} AND kind = 'tiers'",
     [("wrong_tiers", "", FIRST), ("wrong_total", "", FIRST)]),
    (f"UPDATE invoice_line SET tiers = '[]' WHERE invoice_id = {OF_FIRST} AND kind = 'tiers'",
     [("wrong_tiers", "", FIRST)]),
]  # fmt: skip


async def test_graduated_invoices_are_clean(db: Database) -> None:
    await _two_invoices_of_a_month(db)
    assert reported((await audit(db, I, rate_card=graduated()))[1]) == []
    await move_invoice(db, FIRST, InvoiceState.VOIDED, may(34))
    assert reported((await audit(db, I, rate_card=graduated()))[1]) == []
    await claim_page(db, cancellation("sub_1", may(2), attribution_id="team:a"), graduated())
    assert reported((await audit(db, I, rate_card=graduated()))[1]) == []


@pytest.mark.parametrize(("sql", "expected"), PLANTED)
async def test_planted_in_months_and_tiers(db: Database, sql: str, expected: list[Reported]) -> None:
    await _two_invoices_of_a_month(db)
    await execute(db, sql)
    assert reported((await audit(db, I, rate_card=graduated()))[1]) == expected
    assert (await audit(db, I, rate_card=graduated(), period="2022-06"))[1] == []


async def test_a_price_that_the_card_has_not(db: Database) -> None:
    await _two_invoices_of_a_month(db)
    tiers = json.dumps([{"credits": "2000", "price": "0.002"}, {"credits": "880", "price": "0.01"}])
    await execute(
        db,
        f"UPDATE invoice_line SET tiers = CAST(:tiers AS jsonb) WHERE invoice_id = {OF_FIRST} AND kind = 'tiers'",
        tiers=tiers,
    )
    assert reported((await audit(db, I, rate_card=graduated()))[1]) == [
        ("wrong_rate", "", FIRST),
        ("wrong_tiers", "", FIRST),
    ]
