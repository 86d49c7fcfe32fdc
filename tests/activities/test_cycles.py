"""The cycles that Stripe announces: stored from subscriptions and invoices, and what each draft bills of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

import settings
from activities.postgres.accounts.accounts import AccountActivities
from activities.postgres.links import LinkActivities
from activities.postgres.periods.limits import PeriodLimits
from activities.postgres.periods.periods import PeriodActivities
from billing.accounts.cycles import Cycle
from billing.invoice.policy import AccountPolicy, ChargeOn
from contracts.messages.invoices import StripeInvoiceSnapshot
from contracts.messages.owners import LinkedInvoice
from contracts.messages.subscriptions import (
    ApplySubscription,
    CancellationClaimed,
    ClaimCancellation,
    StoreStripeAccounts,
    StripeAccount,
    StripeSubscriptionSnapshot,
    SubscriptionDraft,
)
from storage.accounts.cycles import store_cycle
from storage.accounts.policies import write_policy
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from tests.storage.usage import (
    DAY,
    HOUR_US,
    FixedCard,
    add_account,
    add_instances,
    card,
    fetch,
    instance,
    may,
    put_window,
)

Span = tuple[datetime, datetime]


async def stored(db: Database) -> list[Span]:
    rows = await fetch(db, "SELECT lower(during) AS a, upper(during) AS b FROM subscription_cycle ORDER BY during")
    return [(row.a, row.b) for row in rows]


def subscription(**changes: Any) -> StripeSubscriptionSnapshot:
    values: dict[str, Any] = {
        "stripe_subscription_id": "sub_1",
        "stripe_customer_id": "cus_1",
        "status": "active",
        "currency": "usd",
        "attribution_id": "team:a",
        "started": may(10),
        "created": may(10),
        "ended": None,
        "cycle_start": may(10),
        "cycle_end": may(41),
    }
    return StripeSubscriptionSnapshot(**{**values, **changes})


async def test_each_cycle_of_a_subscription_is_stored(db: Database, env: ActivityEnvironment) -> None:
    activities = AccountActivities(db, FixedCard(card()), settings.load())

    async def apply(**changes: Any) -> list[Span]:
        order = ApplySubscription(subscription=subscription(**changes), seen_at_creation=True)
        for _ in range(2):
            await env.run(activities.apply_subscription, order)
        return await stored(db)

    assert await apply(cycle_start=None, cycle_end=None) == []  # from a worker of an earlier version
    assert await apply() == [(may(10), may(41))]
    assert await apply(cycle_start=may(41), cycle_end=may(71)) == [(may(10), may(41)), (may(41), may(71))]
    canceled = {"status": "canceled", "ended": may(50), "cycle_start": may(41), "cycle_end": may(71)}
    assert await apply(**canceled) == [(may(10), may(41)), (may(41), may(50))]


async def test_the_sync_stores_cycles_too(db: Database, env: ActivityEnvironment) -> None:
    activities = AccountActivities(db, FixedCard(card()), settings.load())
    found = StripeAccount(
        attribution_id="team:a", stripe_customer_id="cus_1", currency="usd", subscriptions=[subscription()]
    )
    result = await env.run(activities.store_accounts, StoreStripeAccounts(accounts=[found], bill_after=may(1)))
    assert result.faults == []
    assert await stored(db) == [(may(10), may(41))]


@pytest.mark.parametrize(
    ("changes", "cycles"),
    [
        ({}, [(may(10), may(41))]),
        ({"status": "paid"}, [(may(10), may(41))]),
        ({"billing_reason": "subscription_create", "period_start": may(41)}, []),
        ({"billing_reason": "subscription_update"}, []),
        ({"period_start": None}, []),
        ({"stripe_subscription_id": None}, []),
    ],
)
async def test_the_cycle_of_an_invoice_is_stored(
    db: Database, env: ActivityEnvironment, changes: dict[str, Any], cycles: list[Span]
) -> None:
    await add_account(db, customer="cus_1")
    values: dict[str, Any] = {
        "stripe_invoice_id": "in_1",
        "status": "draft",
        "stripe_customer_id": "cus_1",
        "currency": "usd",
        "billing_reason": "subscription_cycle",
        "stripe_subscription_id": "sub_1",
        "period_start": may(10),
        "period_end": may(41),
    }
    found = StripeInvoiceSnapshot(**{**values, **changes})
    linked: LinkedInvoice = await env.run(LinkActivities(db).link, found)
    assert linked.attribution_id == "team:a"
    assert await stored(db) == cycles


class Claiming:
    """An account that is charged on its subscription's invoices, with a day of usage on May 12 and on May 5."""

    def __init__(self, db: Database, env: ActivityEnvironment) -> None:
        self.db, self.env, self.settings = db, env, settings.load()
        self.activities = PeriodActivities(db, FixedCard(card()), self.settings, PeriodLimits(db, self.settings))

    async def prepare(self, *cycles: Span, charge_on: ChargeOn = ChargeOn.SUBSCRIPTION) -> None:
        await add_account(self.db, "team:a", (may(1), None))
        await put_window(self.db, "team:a", "sub_1", may(1), None)
        await write_policy(self.db, "team:a", AccountPolicy(charge_on=charge_on))
        await add_instances(self.db, instance("a", may(12), may(13)), instance("b", may(5), may(6)))
        for start, end in cycles:
            await store_cycle(self.db, "team:a", "sub_1", Cycle(start, end))

    async def draft(self, cutoff: datetime, **changes: Any) -> CancellationClaimed:
        given = {"attribution_id": "team:a", "stripe_invoice_id": "in_1", "stripe_subscription_id": "sub_1"}
        order = SubscriptionDraft(**{**given, "cutoff": cutoff, **changes})
        claimed: CancellationClaimed = await self.env.run(self.activities.claim_subscription_draft, order)
        return claimed

    async def service(self, claimed: CancellationClaimed) -> tuple[datetime | None, int]:
        """Return the start of what the invoice bills, and its hours of usage from before that."""
        assert claimed.invoice_key is not None, claimed.note
        record = await load_invoice(self.db, claimed.invoice_key)
        assert record is not None
        return record.service_start, sum(line.carried_us for line in record.lines) // HOUR_US


@pytest.fixture
def claiming(db: Database, env: ActivityEnvironment) -> Claiming:
    return Claiming(db, env)


@pytest.mark.parametrize(
    ("cycles", "start", "expected"),
    [
        ([(may(10), may(41))], may(10), (may(10), 24)),
        ([(may(10), may(41))], may(2), (may(10), 24)),  # the subscription knows better than its invoice
        ([], may(10), (may(10), 24)),  # the subscription's event has not arrived
        ([], None, (None, 48)),  # from a worker of an earlier version: June's invoice
        ([(may(34), may(41))], may(34), (may(34), 48)),  # weekly
    ],
)
async def test_a_draft_bills_its_cycle_and_carries_what_lies_before(
    claiming: Claiming, cycles: list[Span], start: datetime | None, expected: tuple[datetime | None, int]
) -> None:
    await claiming.prepare(*cycles)
    claimed = await claiming.draft(may(41), cycle_start=start)
    assert claimed.invoice_key == "2022-06/team:a/subscription/in_1"
    assert await claiming.service(claimed) == expected


async def test_a_drafts_currency_is_that_of_its_subscriptions_windows(claiming: Claiming) -> None:
    """Windows that were stored before they had a currency have the account's, until the subscription is fetched."""
    await claiming.prepare((may(10), may(41)))
    await put_window(claiming.db, "team:a", "sub_ended", may(-9), may(-8))
    claimed = await claiming.draft(may(41), cycle_start=may(10), currency="jpy")
    assert await claiming.service(claimed) == (may(10), 24)
    rows = await fetch(claiming.db, "SELECT i.currency, i.amount FROM invoice AS i")
    assert [tuple(row) for row in rows] == [("jpy", 2 * DAY)]
    windows = await fetch(claiming.db, "SELECT stripe_subscription_id, currency FROM subscription ORDER BY 1")
    assert [tuple(row) for row in windows] == [("sub_1", "jpy"), ("sub_ended", "usd")]


@pytest.mark.parametrize("known", [True, False])
async def test_the_draft_of_a_long_cycle_is_left_alone(claiming: Claiming, known: bool) -> None:
    await claiming.prepare(*([(may(1), may(366))] if known else []))
    claimed = await claiming.draft(may(366), cycle_start=may(1))
    assert claimed.invoice_key is None
    assert "each month's run bills the usage" in claimed.note


async def test_the_last_draft_of_a_long_cycle_takes_what_no_run_has_billed(claiming: Claiming) -> None:
    await claiming.prepare((may(1), may(45)))
    claimed = await claiming.draft(may(45))
    assert await claiming.service(claimed) == (None, 48)  # of June's invoice, the month before is earlier


@pytest.mark.parametrize(
    ("charge_on", "cycles", "expected"),
    [
        (ChargeOn.SUBSCRIPTION, [(may(10), may(41))], (may(10), 24)),
        (ChargeOn.SUBSCRIPTION, [(may(1), may(366))], (None, 48)),
        (ChargeOn.SUBSCRIPTION, [], (None, 48)),
        (ChargeOn.OWN, [(may(10), may(41))], (None, 48)),
    ],
)
async def test_a_cancellation_bills_the_cycle_that_it_ends(
    claiming: Claiming, charge_on: ChargeOn, cycles: list[Span], expected: tuple[datetime | None, int]
) -> None:
    await claiming.prepare(*cycles, charge_on=charge_on)
    order = ClaimCancellation(attribution_id="team:a", stripe_subscription_id="sub_1", cutoff=may(36))
    claimed = await claiming.env.run(claiming.activities.claim_cancellation, order)
    assert await claiming.service(claimed) == expected
