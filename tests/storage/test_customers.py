"""What Stripe says of customers, in Postgres."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from billing.accounts.customer import CustomerNeeds
from billing.usage.rows import AccountRow
from storage.accounts.accounts import get_account, upsert_accounts
from storage.accounts.customers import AccountsToAsk, SeenCustomer, accounts_to_ask, record_listed, record_seen
from storage.claims.claims import claim_page
from storage.periods.periods import period_progress
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, fetch, instance, may, scope
from tests.support.until import until

EMAIL = CustomerNeeds(email=True)


@pytest.fixture
async def two(db: Database) -> Database:
    """Account a without a customer, and account b, which customer cus_b pays for. Both have usage in May."""
    await add_account(db, "team:a")
    await add_account(db, "team:b", customer="cus_b")
    await add_instances(db, instance("i-a", may(1), may(2)), instance("i-b", may(1), may(2), attribution_id="team:b"))
    return db


async def why(db: Database) -> dict[str, str]:
    """Claim May, and return why accounts wait."""
    await claim_page(db, scope(needs=EMAIL), card())
    return {each.subject: each.reason for each in (await period_progress(db, "2022-05")).blocked}


async def test_a_customer_that_is_another_accounts_is_named_with_both(two: Database) -> None:
    assert "it is not known" in (await why(two))["team:a"]
    await record_seen(two, [SeenCustomer("team:a", "cus_b", True, None), SeenCustomer("team:b", "cus_b", True, None)])
    waits = await why(two)
    assert set(waits) == {"team:a"}
    assert "customer cus_b is account team:b's" in waits["team:a"]
    account = await get_account(two, "team:a")
    assert account is not None
    assert account.stripe_customer_id is None
    # Each run asks again: a person may have corrected the metadata.
    asked = await accounts_to_ask(two, AccountsToAsk(datetime.now(UTC)), EMAIL, 10)
    assert [each.attribution_id for each in asked] == ["team:a"]

    await record_seen(two, [SeenCustomer("team:a", "cus_a", True, None)])
    assert await why(two) == {}


async def test_a_customer_of_its_own_settles_it(two: Database) -> None:
    await record_seen(two, [SeenCustomer("team:a", "cus_b", True, None)])
    rows = [AccountRow(line=1, attribution_id="team:a", stripe_customer_id="cus_a", currency="usd")]
    assert await upsert_accounts(two, rows) == []
    assert "it is not known" in (await why(two))["team:a"]


@pytest.mark.parametrize("listed", [False, True])
async def test_accounts_are_locked_in_the_order_of_all(db: Database, listed: bool) -> None:
    for account in "ab":
        await add_account(db, f"team:{account}", customer=f"cus_{account}")
    seen = [SeenCustomer(f"team:{account}", f"cus_{account}", True, None) for account in "ba"]
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def waiting() -> bool:
        return bool(await fetch(db, waits))

    async with db.transaction() as connection:
        await connection.execute(text("SELECT lock_accounts(ARRAY['team:a'])"))
        recording = asyncio.create_task(record_listed(db, seen) if listed else record_seen(db, seen))
        await until(waiting)
        await connection.execute(text("SELECT FROM account WHERE attribution_id = 'team:b' FOR UPDATE NOWAIT"))
    await recording
    assert await fetch(db, "SELECT 1 FROM account WHERE email_in_stripe") == [(1,), (1,)]
