"""Why no usage is put on a subscription's draft."""

from __future__ import annotations

import pytest
from temporalio.testing import ActivityEnvironment

import settings
from activities.postgres.periods.limits import PeriodLimits
from activities.postgres.periods.periods import PeriodActivities
from contracts.messages.subscriptions import CancellationClaimed, SubscriptionDraft
from storage.postgres.database import Database
from tests.storage.usage import FixedCard, add_account, add_instances, card, instance, may


async def claim(db: Database, currency: str, subscription: str | None, **given: object) -> CancellationClaimed:
    used = settings.load(charge_on="subscription", **given)
    activities = PeriodActivities(db, FixedCard(card()), used, PeriodLimits(db, used))
    draft = SubscriptionDraft(
        attribution_id="team:a",
        stripe_invoice_id="in_1",
        cutoff=may(20),
        currency=currency,
        stripe_subscription_id=subscription,
    )
    claimed: CancellationClaimed = await ActivityEnvironment().run(activities.claim_subscription_draft, draft)
    return claimed


@pytest.mark.parametrize(
    ("subscription", "says"),
    [
        ("sub_1", "it is in EUR, and the account's windows are in USD"),
        (None, "it is in EUR and names no subscription, and the account's windows are in USD"),
    ],
)
async def test_a_draft_in_a_currency_of_no_window_says_so(db: Database, subscription: str | None, says: str) -> None:
    await add_account(db)
    await add_instances(db, instance("i-1", may(1), may(2)))
    claimed = await claim(db, "eur", subscription)
    assert claimed.invoice_key is None
    assert claimed.note == f"No usage on in_1: {says}."
    assert (await claim(db, "usd", subscription)).invoice_key == "2022-05/team:a/subscription/in_1"


async def test_a_draft_with_too_little_usage_says_so(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i-1", may(1), may(1.001)))
    assert (await claim(db, "usd", None)).note == "No usage on in_1: there is too little to bill."


async def test_a_draft_whose_customer_lacks_something_says_what(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i-1", may(1), may(2)))
    claimed = await claim(db, "usd", None, collection_method="send_invoice")
    assert claimed.invoice_key is None
    assert claimed.note == "No usage on in_1: `perdure period status 2022-05` says why."
    assert "it is not known" in claimed.customer_lacks
