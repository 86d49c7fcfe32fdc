"""Usage that a period does not bill is carried over, and billed once, by a later period."""

from __future__ import annotations

from storage.claims.claims import claim_page, preview_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from tests.storage.usage import (
    DAY,
    HOUR_US,
    add_account,
    add_instances,
    card,
    claimed,
    fetch,
    instance,
    june,
    may,
    scope,
)


async def test_what_a_later_period_bills_is_forgotten_as_left_over(db: Database) -> None:
    """Otherwise May would say forever that its usage waits, although June has billed it."""
    for name in ("a", "b"):
        await add_account(db, f"team:{name}")
        await add_instances(db, instance(name, may(2), may(2, us=7), attribution_id=f"team:{name}"))
    assert (await claim_page(db, scope(), card())).below_minimum == 2
    await add_instances(db, instance("more", may(40), may(41)))
    result = await claim_page(db, june(), card())
    assert (result.keys, result.below_minimum) == (("2022-06/team:a/period",), 1)
    left = await fetch(db, "SELECT billing_period, attribution_id FROM account_outcome ORDER BY billing_period")
    assert left == [("2022-05", "team:b"), ("2022-06", "team:b")]


async def test_what_a_later_period_left_over_stays_when_an_earlier_one_bills(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("june", may(40), may(40, us=7)))
    assert (await claim_page(db, june(), card())).below_minimum == 1
    await add_instances(db, instance("late", may(2), may(3)))
    assert (await claim_page(db, scope(), card())).keys == ("2022-05/team:a/period",)
    assert await fetch(db, "SELECT billing_period FROM account_outcome") == [("2022-06",)]


async def test_late_usage_is_carried_into_the_next_period(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("straddles", may(31), may(33)))
    await claim_page(db, scope(), card())
    await add_instances(db, instance("late", may(3), may(4)), instance("own", may(40), may(41)))
    (preview,) = await preview_page(db, june(), card())
    assert (preview.duration_us, preview.carried_us) == (3 * 24 * HOUR_US, 24 * HOUR_US)
    assert (preview.priced.amount, preview.carried_amount) == (3 * DAY, DAY)
    (key,) = (await claim_page(db, june(), card())).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert record.key == "2022-06/team:a/period"
    assert [(line.rated.duration_us, line.carried_us) for line in record.lines] == [(3 * 24 * HOUR_US, 24 * HOUR_US)]
    assert await claimed(db) == [
        ("late", may(3), may(4)),
        ("own", may(40), may(41)),
        ("straddles", may(31), may(32)),
        ("straddles", may(32), may(33)),
    ]


async def test_below_the_minimum_is_carried_over(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(2) + (may(3) - may(2)) * 49 / 1440))
    result = await claim_page(db, scope(), card())
    assert (result.keys, result.below_minimum) == ((), 1)
    assert await claimed(db) == []
    ((outcome, amount, reason),) = await fetch(db, "SELECT outcome, amount, reason FROM account_outcome")
    assert (outcome, amount) == ("below_minimum", 49)
    assert "0.49 USD" in reason
    assert "0.50 USD" in reason
    await add_instances(db, instance("one more minute", may(40), may(40) + (may(3) - may(2)) / 1440))
    (key,) = (await claim_page(db, june(), card())).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert record.amount == 50


async def test_an_outcome_is_forgotten_when_the_next_run_makes_the_invoice(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(2, us=1)))
    assert (await claim_page(db, scope(), card())).below_minimum == 1
    await add_instances(db, instance("i", may(2), may(3)))
    assert len((await claim_page(db, scope(), card())).keys) == 1
    assert await fetch(db, "SELECT 1 FROM account_outcome") == []
