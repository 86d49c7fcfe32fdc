"""Disputes in Postgres: the closing instant is that of Stripe's event, in whatever order it arrives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from storage.claims.claims import claim_page
from storage.invoices import disputes
from storage.invoices.disputes import DisputeRecord
from storage.invoices.invoices import load_invoice, record_draft
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"
OPEN = DisputeRecord("du_1", 500, "usd", "fraudulent", "needs_response", may(40), None)
LOST = replace(OPEN, status="lost")


@pytest.fixture
async def invoice_id(db: Database) -> int:
    await add_account(db)
    await add_instances(db, instance("a", may(1), may(3)))
    await claim_page(db, scope(), card())
    await record_draft(db, KEY, "in_1", "cus_1")
    record = await load_invoice(db, KEY)
    assert record is not None
    return record.id


async def closed_at(db: Database, invoice_id: int, *heard: DisputeRecord) -> datetime | None:
    for each in heard:
        assert await disputes.record(db, stripe_invoice_ids=["in_1"], dispute=each)
    (kept,) = (await disputes.of_invoices(db, [invoice_id]))[invoice_id]
    return kept.closed_at


async def test_the_event_that_comes_after_a_fetch_says_when_it_was_closed(db: Database, invoice_id: int) -> None:
    fetched, reported = replace(LOST, closed_at=may(60)), replace(LOST, closed_at=may(50))
    assert await closed_at(db, invoice_id, OPEN, fetched, reported) == may(50)


async def test_a_fetch_after_the_event_changes_nothing(db: Database, invoice_id: int) -> None:
    fetched, reported = replace(LOST, closed_at=may(60)), replace(LOST, closed_at=may(50))
    assert await closed_at(db, invoice_id, OPEN, reported, fetched) == may(50)


async def test_one_that_is_appealed_is_open_again_and_closed_later(db: Database, invoice_id: int) -> None:
    assert await closed_at(db, invoice_id, replace(LOST, closed_at=may(50)), OPEN) is None
    assert await closed_at(db, invoice_id, replace(LOST, closed_at=may(70))) == may(70)
