"""The cursor only moves forward, whichever run moves it; disputes keep when they were closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from storage.invoices import disputes
from storage.invoices.disputes import DisputeRecord
from storage.invoices.payments import PaidInvoice
from storage.postgres.database import Database
from storage.recovery import event_cursor
from storage.recovery.event_cursor import ReadDeliveries

FIRST, LATER = datetime(2022, 5, 1, tzinfo=UTC), datetime(2022, 5, 2, tzinfo=UTC)


@pytest.fixture
async def db(migrated_database: str) -> AsyncIterator[Database]:
    found = Database(migrated_database, 2)
    yield found
    await found.close()


async def test_of_two_runs_the_second_does_not_move_it_back(db: Database) -> None:
    assert await event_cursor.load(db, "c") is None
    assert await event_cursor.move(db, "c", None, "", FIRST, FIRST)
    assert not await event_cursor.move(db, "c", None, "evt_1", FIRST, FIRST), "it is there already"
    assert await event_cursor.move(db, "c", "", "evt_1", FIRST, None)
    assert await event_cursor.move(db, "c", "evt_1", "evt_3", LATER, FIRST)
    assert not await event_cursor.move(db, "c", "evt_1", "evt_2", FIRST, FIRST)
    found = await event_cursor.load(db, "c")
    assert found is not None
    assert (found.event_id, found.event_created, found.adopted_until) == ("evt_3", LATER, FIRST)


async def test_deliveries_add_up_and_their_instants_only_move_forward(db: Database) -> None:
    assert await event_cursor.move(db, "c", None, "evt_1", FIRST, FIRST, ReadDeliveries(2, FIRST, None))
    found = await event_cursor.load(db, "c")
    assert found is not None
    assert (found.undelivered, found.undelivered_at, found.delivered_at, found.is_silent) == (2, FIRST, None, True)
    assert await event_cursor.move(db, "c", "evt_1", "evt_2", LATER, None, ReadDeliveries(0, None, LATER))
    assert await event_cursor.move(db, "c", "evt_2", "evt_3", LATER, None, ReadDeliveries(1, FIRST, FIRST))
    found = await event_cursor.load(db, "c")
    assert found is not None
    assert (found.undelivered, found.undelivered_at, found.delivered_at, found.is_silent) == (3, FIRST, LATER, False)


async def test_a_dispute_keeps_since_when_it_is_closed_until_it_is_appealed(db: Database) -> None:
    async with db.transaction() as connection:
        await connection.execute(text("INSERT INTO account (attribution_id, currency) VALUES ('team:x', 'usd')"))
        await connection.execute(
            text(
                "INSERT INTO invoice (key, attribution_id, billing_period, reason, state, cutoff, currency, amount, "
                "credits, rate_card_digest, stripe_invoice_id) VALUES "
                "('2022-05/team:x/period', 'team:x', '2022-05', 'period', 'paid', now(), 'usd', 1, 1, '', 'in_1')"
            )
        )
    dispute = DisputeRecord("dp_1", 1, "usd", "general", "needs_response", FIRST, None)
    assert await disputes.record(db, stripe_invoice_ids=["in_2"], dispute=dispute) is None
    ours = ("2022-05/team:x/period", "team:x", "2022-05")
    lost = replace(dispute, status="lost", closed_at=LATER)
    again = replace(lost, closed_at=datetime.now(UTC))
    appealed = replace(dispute, status="appeal_under_review")
    for reported, kept in ((dispute, dispute), (lost, lost), (again, lost), (appealed, appealed)):
        invoice = await disputes.record(db, stripe_invoice_ids=["in_2", "in_1"], dispute=reported)
        assert invoice == PaidInvoice(1, *ours)
        [[found]] = (await disputes.of_invoices(db, [1])).values()
        assert found == kept
        assert await disputes.open_in_period(db, "2022-05") == (kept.closed_at is None)
    assert await disputes.open_in_period(db, "2022-06") == 0
