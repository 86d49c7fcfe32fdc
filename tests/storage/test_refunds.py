"""Refunds in Postgres: the newest status counts, and a refund keeps its credit note."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.invoice.credit_notes import CreditDestination
from storage.claims.claims import claim_page
from storage.invoices import refunds
from storage.invoices.invoices import load_invoice, record_draft
from storage.invoices.refunds import RefundRecord
from storage.invoices.stripe_credit_notes import StripeCreditNote, bring_in_step
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"
MADE = RefundRecord("re_1", None, 500, "usd", "pending", "", may(40))


@pytest.fixture
async def invoice_id(db: Database) -> int:
    await add_account(db)
    await add_instances(db, instance("a", may(1), may(3)))
    await claim_page(db, scope(), card())
    await record_draft(db, KEY, "in_1", "cus_1")
    record = await load_invoice(db, KEY)
    assert record is not None
    return record.id


async def recorded(db: Database, invoice_id: int, *heard: RefundRecord) -> list[RefundRecord]:
    for each in heard:
        assert await refunds.record(db, stripe_invoice_ids=["in_0", "in_1"], refunds=[each])
    return (await refunds.of_invoices(db, [invoice_id]))[invoice_id]


async def test_the_newest_status_counts(db: Database, invoice_id: int) -> None:
    assert await recorded(db, invoice_id, MADE, replace(MADE, status="succeeded")) == [
        replace(MADE, status="succeeded")
    ]
    assert await refunds.refunded_of_period(db, "2022-05") == {"usd": 500}
    (failed,) = await recorded(db, invoice_id, replace(MADE, status="failed"))
    assert not failed.is_outside
    assert await refunds.refunded_of_period(db, "2022-05") == {}


async def test_one_with_a_credit_note_keeps_it(db: Database, invoice_id: int) -> None:
    ours = replace(MADE, stripe_credit_note_id="cn_1")
    assert await recorded(db, invoice_id, ours, MADE) == [ours]
    assert await refunds.refunded_of_period(db, "2022-05") == {}


async def test_a_credit_note_that_is_made_later_takes_it(db: Database, invoice_id: int) -> None:
    other = replace(MADE, stripe_refund_id="re_2", amount=300)
    await recorded(db, invoice_id, MADE, other)
    note = StripeCreditNote("cn_1", None, 500, CreditDestination.REFUND, "late", may(41), None, ("re_1", "re_unknown"))
    await bring_in_step(db, "in_1", [note])
    assert await recorded(db, invoice_id) == [replace(MADE, stripe_credit_note_id="cn_1"), other]
    assert await refunds.refunded_of_period(db, "2022-05") == {"usd": 300}


async def test_those_of_other_payments_are_left_alone(db: Database, invoice_id: int) -> None:
    assert await refunds.record(db, stripe_invoice_ids=["in_0"], refunds=[MADE]) is None
    assert await refunds.of_invoices(db, [invoice_id]) == {}


async def test_before_the_stripe_invoice_is_recorded_the_key_in_its_metadata_names_it(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(1), may(3)))
    await claim_page(db, scope(), card())
    found = await refunds.record(db, stripe_invoice_ids=["in_1"], keys=[KEY], refunds=[MADE])
    assert found is not None
    assert found.key == KEY
    assert (await refunds.of_invoices(db, [found.id]))[found.id] == [MADE]


async def test_one_of_a_second_invoice_with_the_key_is_not_ours(db: Database, invoice_id: int) -> None:
    assert await refunds.record(db, stripe_invoice_ids=["in_2"], keys=[KEY], refunds=[MADE]) is None
    assert await refunds.of_invoices(db, [invoice_id]) == {}
