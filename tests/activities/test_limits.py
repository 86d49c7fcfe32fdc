"""Limits from the deployment's settings, and the warning on a subscription's draft."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

import settings
from activities.postgres.periods.limits import PeriodLimits
from activities.postgres.periods.periods import PeriodActivities
from activities.postgres.scopes import charged_kinds_of, period_limits, policy_of
from activities.rate_cards import RateCards
from billing.invoice.limits import DEFAULT_LIMITS, NO_LIMITS, Limits
from billing.invoice.states import InvoiceState
from contracts.messages.subscriptions import CancellationClaimed, SubscriptionDraft
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, instance, may

CARD = """[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "1" }
price_per_credit = { usd = "0.01" }
"""
FLOOR = "usd=100 eur=100"
LIMITS = (
    *("limit_invoice_amount", "limit_invoice_multiple", "limit_invoice_carried_share", "limit_first_invoice"),
    *("limit_period_amount", "limit_period_multiple", "limit_period_carried_share"),
)


def test_the_floor_is_100_dollars_or_euros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIMIT_INVOICE_FLOOR")
    assert settings.load().limit_invoice_floor == FLOOR


@pytest.mark.parametrize(
    ("given", "set_", "defaults"),
    [
        ({}, {}, {"multiple": 3, "share": "0.5", "first": 10}),
        ({"limit_invoice_multiple": "3"}, {"multiple": 3}, {"share": "0.5", "first": 10}),
        ({"limit_invoice_multiple": "off"}, {}, {"share": "0.5", "first": 10}),
        ({"limit_invoice_carried_share": "0"}, {"share": 0}, {"multiple": 3, "first": 10}),
        ({"limit_invoice_carried_share": "off"}, {}, {"multiple": 3, "first": 10}),
        ({"limit_first_invoice": "2.5"}, {"first": "2.5"}, {"multiple": 3, "share": "0.5"}),
        ({"limit_first_invoice": "off"}, {}, {"multiple": 3, "share": "0.5"}),
        (dict.fromkeys(LIMITS, "off"), {}, {}),
        ({"limit_invoice_floor": "off"}, {}, {}),
        ({"limit_invoice_floor": "off", "limit_invoice_multiple": "4"}, {"multiple": 4}, {}),
    ],
)
def test_a_limit_that_is_set_or_off_has_no_default(
    given: dict[str, Any], set_: dict[str, Any], defaults: dict[str, Any]
) -> None:
    policy = policy_of(settings.load(**{"limit_invoice_floor": FLOOR, **given}))
    assert policy.limits == _limits(multiple=set_)
    assert policy.defaults == _limits(daily_multiple=defaults)
    assert policy.floor == ({} if given.get("limit_invoice_floor") == "off" else {"usd": 10_000, "eur": 10_000})


def _limits(**factors: dict[str, Any]) -> Limits:
    ((name, given),) = factors.items()
    found = {key: Decimal(value) for key, value in given.items()}
    limits = Limits(carried_share=found.get("share"), first_invoice=found.get("first"))
    multiple = found.get("multiple")
    return Limits(
        carried_share=limits.carried_share,
        first_invoice=limits.first_invoice,
        multiple=multiple if name == "multiple" else None,
        daily_multiple=multiple if name == "daily_multiple" else None,
    )


def test_a_period_has_no_defaults() -> None:
    assert not period_limits(settings.load(limit_invoice_floor=FLOOR))
    assert not period_limits(settings.load(**dict.fromkeys(LIMITS, "off")))
    assert period_limits(settings.load(limit_period_multiple="2")) == Limits(multiple=Decimal(2))
    assert policy_of(settings.load(limit_invoice_floor=FLOOR)).defaults == DEFAULT_LIMITS != NO_LIMITS


@pytest.mark.parametrize(
    ("limits", "state", "warning"),
    [
        ({}, InvoiceState.CLAIMED, "**Check it**: the invoice totals 1,339.20 USD, more than 10 times 100.00 USD"),
        ({"limit_first_invoice": "off"}, InvoiceState.CLAIMED, ""),
        ({"limit_first_invoice": "10"}, InvoiceState.BLOCKED, ""),
        ({"limit_invoice_amount": "usd=1339.19"}, InvoiceState.BLOCKED, "**Check it**: the invoice totals 1,339.20"),
    ],
)
async def test_on_a_subscriptions_draft_only_limits_that_are_set_hold(
    db: Database, env: ActivityEnvironment, tmp_path: Path, limits: dict[str, str], state: InvoiceState, warning: str
) -> None:
    path = tmp_path / "rates.toml"
    path.write_text(CARD)
    given = settings.load(charge_on="subscription", limit_invoice_floor=FLOOR, rate_card=path, **limits)
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1), may(32)) for n in range(3)))
    activities = PeriodActivities(db, RateCards(db, given), given, PeriodLimits(db, given))
    draft = SubscriptionDraft(attribution_id="team:a", stripe_invoice_id="in_1", cutoff=may(32))
    claimed: CancellationClaimed = await env.run(activities.claim_subscription_draft, draft)
    assert claimed.invoice_key is not None
    record = await load_invoice(db, claimed.invoice_key)
    assert record is not None
    assert record.state is state
    assert claimed.note.startswith(f"in_1 carries {claimed.invoice_key}.")
    assert warning in claimed.note
    assert ("**Check it**" in claimed.note) == bool(warning)


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, {"paid"}),
        ({"trial_usage": "charge"}, {"paid", "trial"}),
        ({"paused_usage": "charge"}, {"paid", "collection_paused"}),
    ],
)
def test_the_kinds_of_windows_that_are_charged(given: dict[str, Any], kinds: set[str]) -> None:
    assert charged_kinds_of(settings.load(**given)) == kinds


async def test_a_periods_limit_counts_what_a_customer_lacks_something_for(db: Database, tmp_path: Path) -> None:
    """It can have it by the time that the page is claimed."""
    path = tmp_path / "rates.toml"
    path.write_text(CARD)
    given = settings.load(collection_method="send_invoice", limit_period_amount="usd=1000", rate_card=path)
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1), may(32)) for n in range(3)))
    card = await RateCards(db, given).current()
    held = await PeriodLimits(db, given).held("2022-05", card)
    assert held is not None
    assert "1,339.20 USD" in held
