"""Accounts that waited for their customers: which of them can be billed now."""

from __future__ import annotations

from billing.accounts.customer import CustomerNeeds
from billing.invoice.policy import ChargeOn
from billing.periods import BillingPeriod
from storage.accounts.waiting import WhoWaits, resumable
from storage.postgres.database import Database
from tests.storage.usage import add_account, execute

WAITS = """
INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency, kind)
VALUES (:period, 'team:a', 'blocked', 'its customer lacks an email', 0, 'usd', 'customer')
"""
HOLD = (
    "INSERT INTO period_hold (billing_period, reason, since, totals) VALUES ('2022-05', 'above a limit', now(), '{}')"
)


async def periods(db: Database) -> list[list[str]]:
    found = await resumable(
        db,
        WhoWaits(),
        CustomerNeeds(email=True, address=False),
        BillingPeriod.parse("2022-06"),
        ChargeOn.OWN,
        10,
    )
    return [list(each.periods) for each in found]


async def test_only_ended_periods_that_no_person_decides_on_go_on_by_themselves(db: Database) -> None:
    await add_account(db, customer="cus_1")
    for period in ("2022-05", "2022-06", "2022-07"):
        await execute(db, WAITS, period=period)
    assert await periods(db) == []  # its customer still lacks one
    await execute(db, "UPDATE account SET email_in_stripe = true")
    assert await periods(db) == [["2022-05", "2022-06"]]
    await execute(db, HOLD)
    assert await periods(db) == [["2022-06"]]
    await execute(db, "DELETE FROM account_outcome WHERE billing_period <> '2022-05'")
    assert await periods(db) == []
    await execute(db, "UPDATE period_hold SET reason = NULL")  # approved
    assert await periods(db) == [["2022-05"]]
