"""An account that Stripe's subscriptions introduce is added once, whichever comes first."""

from __future__ import annotations

import asyncio

import pytest

from storage.accounts.accounts import (
    AccountConflictError,
    NewAccount,
    add_account,
    get_account,
)
from storage.postgres.database import Database
from tests.storage.usage import may, put_window

NEW = NewAccount("cus_1", "usd", may(1))


async def test_an_account_is_added_once(db: Database) -> None:
    await add_account(db, "team:a", NEW)
    await add_account(db, "team:a", NEW)
    account = await get_account(db, "team:a")
    assert account is not None
    assert account.stripe_customer_id == "cus_1"


async def test_a_customer_of_another_account_is_refused(db: Database) -> None:
    await add_account(db, "team:a", NEW)
    with pytest.raises(AccountConflictError, match="cus_1 belongs to another account"):
        await add_account(db, "team:b", NEW)
    assert await get_account(db, "team:b") is None


async def test_subscriptions_that_add_their_account_at_once_all_get_their_windows(db: Database) -> None:
    teams = [f"team:{number}" for number in range(40)]
    await asyncio.gather(
        *(
            put_window(
                db,
                team,
                f"sub_{team}_{day}",
                may(day),
                may(day + 1),
                new=NewAccount(f"cus_{team}", "usd", may(1)),
            )
            for team in teams
            for day in (3, 5)
        )
    )
    for team in teams:
        account = await get_account(db, team)
        assert account is not None
        assert [window.started for window in account.windows] == [may(3), may(5)]
