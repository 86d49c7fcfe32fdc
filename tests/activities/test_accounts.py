"""Subscriptions that Stripe has not started to serve, and errors whose kind must not be confused."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import settings
from activities.postgres.accounts.accounts import AccountActivities
from billing.accounts.pauses import PauseBehavior
from billing.pricing.rating import RateCard
from contracts.messages.subscriptions import (
    ApplySubscription,
    PausedCollection,
    StoreStripeAccounts,
    StripeAccount,
    StripeAccountsStored,
    StripeSubscriptionSnapshot,
    SubscriptionApplied,
)
from storage.accounts.accounts import get_account
from storage.accounts.pauses import paused_subscription, pauses_of_account
from storage.postgres.database import Database
from tests.storage.usage import FixedCard, add_account, card, fetch, may
from tests.support.until import until


def subscription(status: str = "active", ended: datetime | None = None, **changes: Any) -> StripeSubscriptionSnapshot:
    values: dict[str, Any] = {
        "stripe_subscription_id": "sub_1",
        "stripe_customer_id": "cus_1",
        "currency": "usd",
        "attribution_id": "team:a",
        "started": may(3),
        "created": may(3),
    }
    return StripeSubscriptionSnapshot(status=status, ended=ended, **{**values, **changes})


class Applied:
    """Applies what Stripe says, and shows the account."""

    def __init__(self, db: Database) -> None:
        self.db, self.env = db, ActivityEnvironment()
        self.activities = AccountActivities(db, FixedCard(card()), settings.load())

    async def __call__(self, found: StripeSubscriptionSnapshot, created: bool = True) -> SubscriptionApplied:
        apply = ApplySubscription(subscription=found, seen_at_creation=created)
        applied: SubscriptionApplied = await self.env.run(self.activities.apply_subscription, apply)
        assert await self.env.run(self.activities.apply_subscription, apply) == applied, "not idempotent"
        return applied

    async def windows(self) -> list[tuple[datetime, datetime | None]]:
        account = await get_account(self.db, "team:a")
        return [(window.started, window.ended) for window in account.windows] if account else []


@pytest.fixture
def apply(db: Database) -> Applied:
    return Applied(db)


async def test_one_that_is_paid_for_later_is_charged_from_its_start(apply: Applied) -> None:
    """Stripe creates it `incomplete`; the later event that it became active no longer proves its creation."""
    assert "has not started" in (await apply(subscription("incomplete"))).note
    assert await apply.windows() == []
    await apply(subscription("active"), created=False)
    account = await get_account(apply.db, "team:a")
    assert account is not None
    assert account.bill_after == may(3)
    assert await apply.windows() == [(may(3), None)]


async def test_one_that_is_never_paid_for_makes_nothing(apply: Applied) -> None:
    applied = await apply(subscription("incomplete_expired"))
    assert applied.ended is None
    assert await get_account(apply.db, "team:a") is None


@pytest.mark.parametrize("status", ["trialing", "active", "past_due", "unpaid", "paused"])
async def test_whatever_stripe_serves_opens_a_window(apply: Applied, status: str) -> None:
    await apply(subscription(status))
    assert await apply.windows() == [(may(3), None)]


async def test_one_that_ended_as_it_began_is_no_window(apply: Applied) -> None:
    await apply(subscription())
    applied = await apply(subscription("canceled", ended=may(3)))
    assert (applied.ended, await apply.windows()) == (None, [])


async def test_ended_pauses_are_kept_and_one_ends_with_its_subscription(apply: Applied) -> None:
    paused = PausedCollection(behavior=PauseBehavior.KEEP_AS_DRAFT)

    async def heard(found: StripeSubscriptionSnapshot, **times: Any) -> None:
        asked = ApplySubscription(subscription=found, seen_at_creation=False, **times)
        for _ in range(2):
            await apply.env.run(apply.activities.apply_subscription, asked)

    await heard(subscription(pause=paused), pause_heard=may(5))
    assert await paused_subscription(apply.db, "team:a") == "sub_1"
    await heard(subscription(), collected_heard=[may(8)])
    assert await paused_subscription(apply.db, "team:a") is None
    await heard(subscription(pause=paused), pause_heard=may(10))
    await heard(subscription("canceled", may(12), pause=paused), pause_heard=may(12))
    assert await paused_subscription(apply.db, "team:a") is None
    pauses = await pauses_of_account(apply.db, "team:a")
    assert [(each.since, each.ended) for each in pauses] == [(may(5), may(8)), (may(10), may(12))]


async def test_another_open_one_is_refreshed_before_a_second_is_refused(apply: Applied) -> None:
    await apply(subscription())
    second = subscription(stripe_subscription_id="sub_2", started=may(5))
    assert (await apply(second)).overlaps == "sub_1"
    assert await apply.windows() == [(may(3), None)]
    looked = ApplySubscription(subscription=second, seen_at_creation=True, looked_at=["sub_1"])
    with pytest.raises(ApplicationError, match="overlapping windows") as error:
        await apply.env.run(apply.activities.apply_subscription, looked)
    assert error.value.non_retryable


async def test_another_one_that_is_stored_meanwhile_is_refreshed_too(apply: Applied, db: Database) -> None:
    await apply(subscription("incomplete"))
    second = subscription(stripe_subscription_id="sub_2", started=may(5))

    async def waits() -> bool | None:
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await fetch(db, waiting)) or None

    async with db.transaction() as connection:
        await connection.execute(text("SELECT FROM account WHERE attribution_id = 'team:a' FOR UPDATE"))
        await connection.execute(
            text(
                "INSERT INTO subscription (attribution_id, currency, stripe_subscription_id, part, during) "
                "VALUES ('team:a', 'usd', 'sub_1', 1, tstzrange(CAST(:since AS timestamptz), NULL))"
            ),
            {"since": may(3)},
        )
        applying = asyncio.create_task(apply(second))
        await until(waits)
    assert (await applying).overlaps == "sub_1"
    assert await apply.windows() == [(may(3), None)]


async def test_a_customer_without_currency_gets_that_of_its_first_subscription(apply: Applied, db: Database) -> None:
    await add_account(db, "team:b", customer="cus_b", currency="usd")  # it has a window: its currency stays
    await apply(subscription(stripe_customer_id="cus_b", started=may(-30), ended=may(-29), currency="eur"))
    known = await get_account(db, "team:b")
    assert known is not None
    assert known.currency == "usd"
    await apply(subscription(stripe_subscription_id="sub_2", currency="eur"))
    fresh = await get_account(db, "team:a")
    assert fresh is not None
    assert fresh.currency == "eur"


async def test_an_unreachable_database_is_no_permanent_error() -> None:
    gone = Database("postgresql://u:p@127.0.0.1:1/none")
    with pytest.raises(Exception, match="cannot connect") as error:
        await Applied(gone)(subscription())
    assert not isinstance(error.value, ApplicationError)


async def _synced(
    db: Database, rates: RateCard, default_currency: str | None, **changes: Any
) -> tuple[str | None, list[str]]:
    """Sync team:new, a customer without a currency in Stripe; return the account's currency, and the faults."""
    found = StripeAccount(
        **{
            "attribution_id": "team:new",
            "stripe_customer_id": "cus_new",
            "currency": "usd",
            "currency_known": False,
            "subscriptions": [],
            **changes,
        }
    )
    activities = AccountActivities(db, FixedCard(rates), settings.load(default_currency=default_currency))
    store = StoreStripeAccounts(accounts=[found], bill_after=may(1))
    stored: StripeAccountsStored = await ActivityEnvironment().run(activities.store_accounts, store)
    account = await get_account(db, "team:new")
    return None if account is None else account.currency, stored.faults


@pytest.mark.parametrize(
    ("currencies", "default", "expected"),
    [(["eur"], None, "eur"), (["eur"], "jpy", "eur"), (["eur", "usd"], "jpy", "jpy")],
)
async def test_a_synced_account_gets_the_cards_only_currency_else_the_default(
    db: Database, currencies: list[str], default: str | None, expected: str
) -> None:
    rates = card(price_per_credit=dict.fromkeys(currencies, "0.01"), minimum_charge={})
    assert await _synced(db, rates, default) == (expected, [])
    assert await _synced(db, card(), None) == (expected, [])  # a known account keeps its currency


async def test_a_synced_account_without_any_currency_is_refused_by_name(db: Database) -> None:
    currency, (fault,) = await _synced(db, card(), None)
    assert currency is None
    assert fault == (
        "team:new (cus_new): its customer has no currency in Stripe yet, and the rate card has several "
        "(jpy, kwd, usd): set DEFAULT_CURRENCY, or import the account with its currency"
    )


async def test_a_page_that_an_older_worker_listed_keeps_its_currency(db: Database) -> None:
    message = {"attribution_id": "team:new", "stripe_customer_id": "cus_new", "currency": "jpy", "subscriptions": []}
    known = StripeAccount.model_validate(message).currency_known
    assert await _synced(db, card(), None, currency="jpy", currency_known=known) == ("jpy", [])
