"""An account that comes back in another currency: each currency has its own invoice, and all else is shared."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from billing.audit.checks import DATABASE_CHECKS, Check
from billing.invoice.policy import AccountPolicy, ChargeOn, Policy, UnknownClass
from billing.usage.rows import AccountRow
from storage.accounts.accounts import currency_of, upsert_accounts
from storage.accounts.policies import write_policy
from storage.claims.claims import claim_page, preview_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from storage.usage.misbilled import misbilled_usage
from tests.storage.audits import audit
from tests.storage.usage import (
    DAY,
    add_account,
    add_instances,
    cancellation,
    card,
    execute,
    fetch,
    instance,
    june,
    may,
    put_window,
    scope,
)

EUROS = card(price_per_credit={"usd": "0.01", "eur": "0.02", "jpy": "1"}, minimum_charge={"usd": "0.50", "eur": "5"})
FIRST, SECOND = "2022-05/team:a/period", "2022-05/team:a/period/eur"


@pytest.fixture
async def moved(db: Database) -> Database:
    """team:a pays in USD until 10 May, and in EUR from 12 May on; an instance runs a day in each."""
    await add_account(db, "team:a", (may(-29), may(-28)))
    await execute(db, "DELETE FROM subscription")
    await put_window(db, "team:a", "sub_usd", may(1), may(10))
    await put_window(db, "team:a", "sub_eur", may(12), None, currency="eur")
    await add_instances(db, instance("i-1", may(5), may(6)), instance("i-2", may(15), may(16)))
    return db


def row(line: int, currency: str, *window: datetime | None) -> AccountRow:
    started, ended = window or (None, None)
    return AccountRow(
        line, "team:a", stripe_customer_id=None, currency=currency, bill_after=None, started=started, ended=ended
    )


async def amounts(db: Database) -> dict[str, tuple[str, int]]:
    rows = await fetch(db, "SELECT key, currency, amount FROM invoice ORDER BY key")
    return {key: (currency, amount) for key, currency, amount in rows}


async def sound(db: Database) -> None:
    for check in DATABASE_CHECKS:
        assert (await audit(db, check, now=may(40), rate_card=EUROS))[1] == []


async def test_each_currency_has_an_invoice_of_its_own(moved: Database) -> None:
    previewed = [(each.priced.key, each.priced.amount) for each in await preview_page(moved, scope(), EUROS)]
    assert previewed == [(FIRST, DAY), (SECOND, 2 * DAY)]
    claimed = await claim_page(moved, scope(), EUROS)
    assert claimed.keys == (FIRST, SECOND)
    assert claimed.amounts == {"usd": DAY, "eur": 2 * DAY}
    assert await amounts(moved) == {FIRST: ("usd", DAY), SECOND: ("eur", 2 * DAY)}
    record = await load_invoice(moved, SECOND)
    assert record is not None
    assert (record.subject, record.ordinal) == ("eur", 1)
    assert (await claim_page(moved, scope(), EUROS)).keys == ()
    await sound(moved)
    assert await misbilled_usage(moved) == []


async def test_one_that_was_voided_is_billed_again_alone(moved: Database) -> None:
    await claim_page(moved, scope(), EUROS)
    await execute(moved, "DELETE FROM claim WHERE invoice_id = (SELECT id FROM invoice WHERE currency = 'eur')")
    await execute(moved, "UPDATE invoice SET state = 'voided', voided_at = now() WHERE currency = 'eur'")
    assert (await claim_page(moved, scope(), EUROS)).keys == (f"{SECOND}/2",)


async def test_a_cancellation_bills_windows_in_its_own_currency(moved: Database) -> None:
    assert await currency_of(moved, "team:a", "sub_usd") == "usd"
    assert await currency_of(moved, "team:a", "sub_eur") == "eur"
    assert await currency_of(moved, "team:a", "sub_none") == "usd"
    final = cancellation("sub_eur", may(20), attribution_id="team:a", currency="eur")
    assert (await claim_page(moved, final, EUROS)).keys == ("2022-05/team:a/cancellation/sub_eur",)
    assert await amounts(moved) == {"2022-05/team:a/cancellation/sub_eur": ("eur", 2 * DAY)}
    assert (await claim_page(moved, scope(), EUROS)).keys == (FIRST,)


async def test_the_key_without_a_subject_stays_with_its_invoice(moved: Database) -> None:
    """A window before the account's others, in another currency, arrives after the first was billed."""
    await claim_page(moved, scope(), EUROS)
    await put_window(moved, "team:a", "sub_jpy", may(-20), may(-10), currency="jpy")
    await add_instances(moved, instance("i-0", may(-15), may(-14)))
    assert (await claim_page(moved, scope(), EUROS)).keys == ("2022-05/team:a/period/jpy",)
    assert (await claim_page(moved, june(), EUROS)).keys == ()
    await add_instances(moved, instance("i-3", may(33), may(34)))
    assert (await claim_page(moved, june(), EUROS)).keys == ("2022-06/team:a/period/eur",)


async def test_one_currency_below_its_minimum_holds_up_no_other(moved: Database) -> None:
    await execute(moved, "UPDATE workspace_instance SET stopping_time = :at WHERE id = 'i-2'", at=may(15.01))
    await execute(
        moved, "UPDATE segment SET during = tstzrange(lower(during), :at) WHERE instance_id = 'i-2'", at=may(15.01)
    )
    assert (await claim_page(moved, scope(), EUROS)).keys == (FIRST,)
    outcomes = "SELECT attribution_id, currency, outcome FROM account_outcome"
    assert await fetch(moved, outcomes) == [("team:a", "eur", "below_minimum")]
    assert (await claim_page(moved, scope(), EUROS)).below_minimum == 1
    await add_instances(moved, instance("i-3", may(16), may(17)))
    assert (await claim_page(moved, scope(), EUROS)).keys == (SECOND,)
    assert await fetch(moved, outcomes) == []


async def test_a_currency_without_a_price_blocks_itself_alone(moved: Database) -> None:
    claimed = await claim_page(moved, scope(), card(price_per_credit={"usd": "0.01"}))
    assert (claimed.keys, claimed.blocked) == ((FIRST,), 1)
    assert await fetch(moved, "SELECT currency, outcome FROM account_outcome") == [("eur", "blocked")]


async def test_the_outcome_of_a_currency_that_no_window_has_any_more_is_forgotten(moved: Database) -> None:
    await claim_page(moved, scope(), card(price_per_credit={"usd": "0.01"}))
    await put_window(moved, "team:a", "sub_eur", may(15), None, currency="usd")
    assert await fetch(moved, "SELECT DISTINCT currency FROM subscription") == [("usd",)]
    await claim_page(moved, june(), card(price_per_credit={"usd": "0.01"}))
    assert await fetch(moved, "SELECT billing_period, currency, outcome FROM account_outcome") == []


async def test_included_credits_are_shared(moved: Database) -> None:
    await write_policy(moved, "team:a", AccountPolicy(included_credits=Decimal(1000)))
    amounts = [each.priced.amount for each in await preview_page(moved, scope(), EUROS)]
    assert amounts == [DAY - 1000, 2 * DAY]
    await claim_page(moved, scope(), EUROS)
    places = "SELECT i.currency, m.position, m.credits FROM invoice_month AS m JOIN invoice AS i ON i.id = m.invoice_id"
    assert sorted(await fetch(moved, places)) == [("eur", DAY, DAY), ("usd", 0, DAY)]
    await sound(moved)


async def test_limits_compare_with_the_same_currency(moved: Database) -> None:
    await claim_page(moved, scope(), EUROS)
    await execute(moved, "UPDATE invoice SET state = 'paid', paid_at = now(), finalized_at = now(), billed_at = now()")
    await add_instances(moved, instance("i-3", may(33), may(43)))
    held = AccountPolicy(limit_multiple=Decimal(3), limit_amount=1)  # the amount is in USD, the account's currency
    await write_policy(moved, "team:a", held)
    (preview,) = await preview_page(moved, june(), EUROS)
    assert "288.00 EUR" in preview.hold
    assert "USD" not in preview.hold


async def test_a_wrong_currency_is_corrected_as_long_as_nothing_is_billed(db: Database) -> None:
    await add_account(db, "team:a", (may(1), None), currency="jpy")
    assert await upsert_accounts(db, [row(2, "eur")]) == []
    assert await fetch(db, "SELECT currency FROM subscription") == [("eur",)]
    await add_instances(db, instance("i", may(2), may(3)))
    assert (await claim_page(db, scope(), EUROS)).keys == (FIRST,)
    await execute(db, "UPDATE invoice SET state = 'paid', paid_at = now(), finalized_at = now(), billed_at = now()")
    later = [row(2, "usd", may(1), may(10)), row(3, "usd", may(10), None)]
    wrong, overlaps = await upsert_accounts(db, later)
    assert (wrong.column, overlaps.column) == ("currency", "started")
    assert await upsert_accounts(db, [row(2, "eur", may(1), may(10)), row(3, "usd", may(10), None)]) == []
    windows = await fetch(db, "SELECT lower(during), currency FROM subscription ORDER BY 1")
    assert windows == [(may(1), "eur"), (may(10), "usd")]


async def test_kept_back_usage_is_of_its_currency(moved: Database) -> None:
    hold = Policy(unknown_class=UnknownClass.HOLD)
    await add_instances(moved, instance("i-3", may(13), may(14), workspace_class="gpu"))
    claimed = await claim_page(moved, replace(scope(), policy=hold), EUROS)
    assert claimed.keys == (FIRST,)
    assert await fetch(moved, "SELECT currency, kind FROM account_outcome") == [("eur", "unknown_class")]


async def test_a_period_bills_what_an_open_subscription_in_another_currency_does_not(moved: Database) -> None:
    """Usage of the subscription that was canceled arrives late; the new one is charged on its own drafts."""
    await write_policy(moved, "team:a", AccountPolicy(charge_on=ChargeOn.SUBSCRIPTION))
    assert (await claim_page(moved, scope(), EUROS)).keys == (FIRST,)
    await execute(moved, "INSERT INTO period_summary (billing_period, summary) VALUES ('2022-05', '{}')")
    await execute(moved, "UPDATE period_summary SET settled_at = :at", at=may(32))
    await add_instances(moved, instance("late", may(7), may(8)))
    assert (await audit(moved, Check.NOTHING_STUCK, now=may(40), rate_card=EUROS))[1] == []
    await execute(moved, "INSERT INTO period_summary (billing_period, summary) VALUES ('2022-06', '{}')")
    await execute(moved, "UPDATE period_summary SET settled_at = :at", at=may(62))
    _, findings = await audit(moved, Check.NOTHING_STUCK, now=may(80), rate_card=EUROS)
    assert [(each.kind, each.instance_id) for each in findings if each.kind == "unbilled_usage"] == [
        ("unbilled_usage", "late")
    ]
    assert (await claim_page(moved, june(), EUROS)).keys == ("2022-06/team:a/period",)
