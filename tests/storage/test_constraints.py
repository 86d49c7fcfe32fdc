"""PostgreSQL itself refuses wrong rows, whatever bug or race the code has: each row is written by hand."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from storage.postgres.database import Database
from tests.storage.usage import add_account, execute, fetch, may

CLAIM = """
    INSERT INTO claim (invoice_id, line_no, instance_id, during)
    SELECT id, 1, :instance, tstzrange(:start, :end) FROM invoice WHERE key = :key
"""
WINDOW = "INSERT INTO subscription (attribution_id, currency, during) VALUES ('team:a', 'usd', tstzrange(:start, :end))"


async def _add_invoice(db: Database, key: str, state: str = "claimed", subject: str | None = None) -> None:
    await execute(
        db,
        """
        INSERT INTO invoice (key, attribution_id, billing_period, reason, subject, state, cutoff, currency,
                             amount, credits, rate_card_digest)
        VALUES (:key, 'team:a', '2022-05', 'cancellation', :subject, :state, :cutoff, 'usd', 100, 1, '')
        """,
        key=key,
        subject=subject or key,
        state=state,
        cutoff=may(32),
    )
    await execute(
        db,
        """
        INSERT INTO invoice_line
        SELECT id, 1, 'default', :rate_from, 1, false, 1, 1, 0, 1, 100 FROM invoice WHERE key = :key
        """,
        key=key,
        rate_from=may(1),
    )


async def test_no_instant_of_an_instance_is_claimed_twice(db: Database) -> None:
    await add_account(db)
    await _add_invoice(db, "one")
    await _add_invoice(db, "two")
    await execute(db, CLAIM, key="one", instance="i", start=may(2), end=may(3))
    for start, end in ((may(2), may(3)), (may(3, us=-1), may(4)), (may(1), may(2, us=1))):
        for key in ("one", "two"):
            with pytest.raises(IntegrityError, match="claim_never_twice"):
                await execute(db, CLAIM, key=key, instance="i", start=start, end=end)
    await execute(db, CLAIM, key="two", instance="i", start=may(3), end=may(4))
    await execute(db, CLAIM, key="two", instance="other", start=may(2), end=may(3))
    assert len(await fetch(db, "SELECT 1 FROM claim")) == 3


@pytest.mark.parametrize(("start", "end"), [(may(2), None), (None, may(2)), (may(2), may(2))])
async def test_a_claim_is_bounded_and_not_empty(db: Database, start: object, end: object) -> None:
    await add_account(db)
    await _add_invoice(db, "one")
    with pytest.raises(IntegrityError, match="claim_during_form"):
        await execute(db, CLAIM, key="one", instance="i", start=start, end=end)


async def test_a_claim_belongs_to_an_invoice_line(db: Database) -> None:
    await add_account(db)
    await _add_invoice(db, "one")
    with pytest.raises(IntegrityError, match="must belong to an invoice line"):
        await execute(db, CLAIM.replace("id, 1,", "id, 2,"), key="one", instance="i", start=may(2), end=may(3))


async def test_an_account_never_has_two_windows_at_once(db: Database) -> None:
    await add_account(db, "team:a", (may(2), may(5)))
    for start, end in ((may(1), None), (may(5, us=-1), may(6)), (may(3), may(4))):
        with pytest.raises(IntegrityError, match="subscription_never_two_at_once"):
            await execute(db, WINDOW, start=start, end=end)
    await execute(db, WINDOW, start=may(5), end=None)
    for bounds in ({"start": None, "end": may(1)}, {"start": may(1), "end": may(1)}):
        with pytest.raises(IntegrityError, match="subscription_during_form"):
            await execute(db, WINDOW, **bounds)


async def test_at_most_one_live_invoice_of_a_period_reason_and_subject(db: Database) -> None:
    await add_account(db)
    await _add_invoice(db, "dead", "voided", subject="s")
    await _add_invoice(db, "dead too", "deleted", subject="s")
    await _add_invoice(db, "live", "paid", subject="s")
    with pytest.raises(IntegrityError, match="invoice_one_live"):
        await _add_invoice(db, "second", "claimed", subject="s")
    await _add_invoice(db, "other", "claimed", subject="t")


async def test_a_blocked_invoice_says_why_and_states_are_known(db: Database) -> None:
    await add_account(db)
    with pytest.raises(IntegrityError, match="invoice_blocked_says_why"):
        await _add_invoice(db, "one", "blocked")
    with pytest.raises(IntegrityError, match="invoice_state_known"):
        await _add_invoice(db, "one", "lost")


@pytest.mark.parametrize(
    ("attribution_id", "currency"),
    [("", "usd"), ("-a", "usd"), ("a b", "usd"), ("team:a/b", "usd"), ("a" * 134, "usd"), ("team:b", "USD")],
)
async def test_accounts_are_well_formed(db: Database, attribution_id: str, currency: str) -> None:
    with pytest.raises(IntegrityError, match="account_"):
        await execute(
            db,
            "INSERT INTO account (attribution_id, currency) VALUES (:attribution_id, :currency)",
            attribution_id=attribution_id,
            currency=currency,
        )
