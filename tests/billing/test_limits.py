"""Limits that are set and limits by default, exact to the minor unit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.assessment.holding import floor_in, hold
from billing.invoice.limits import DEFAULT_LIMITS, BillFigures, Limits
from billing.invoice.policy import Policy
from billing.pricing.rate_card import parse_rate_card
from billing.pricing.rating import RateCard
from tests.support.system import at

LIMITS = Limits({"usd": 1000, "jpy": 10}, Decimal("1.5"), Decimal("0.25"))
FLOORS = {"usd": 10_000, "eur": 10_000}
POLICY = Policy(defaults=DEFAULT_LIMITS, floor=FLOORS)
DAY_US = 86_400_000_000
PER_DAY = "the invoice totals 600.01 USD for {}, per day more than 3 times the previous total of {} USD for {}"


def exceeded(amount: int, carried: int = 0, previous: int | None = None, currency: str = "usd") -> str:
    return LIMITS.exceeded(BillFigures("the invoice", currency, amount, carried, previous))


def test_an_amount_may_reach_the_limit_and_not_pass_it() -> None:
    assert exceeded(1000) == ""
    assert exceeded(1001) == "the invoice totals 10.01 USD, above the limit of 10.00 USD"
    assert exceeded(11, currency="jpy") == "the invoice totals 11 JPY, above the limit of 10 JPY"
    assert exceeded(10**12, currency="eur") == ""


def test_the_multiple_is_of_the_period_before_if_there_was_one() -> None:
    assert exceeded(900, previous=600) == ""
    assert exceeded(901, previous=600) == (
        "the invoice totals 9.01 USD, more than 1.5 times the previous total of 6.00 USD"
    )
    assert exceeded(901, previous=None) == exceeded(901, previous=0) == ""


def test_the_share_that_is_carried_over() -> None:
    assert exceeded(400, carried=100) == ""
    assert exceeded(400, carried=101) == (
        "1.01 USD of 4.00 USD is usage carried over from earlier periods, more than 25.00%"
    )


def test_all_that_is_exceeded_is_reported() -> None:
    assert exceeded(2000, carried=1999, previous=1).count(";") == 2


def test_no_limits_stop_nothing() -> None:
    assert not Limits()
    assert Limits().exceeded(BillFigures("x", "usd", 10**15, 10**15, 1, DAY_US, DAY_US, True, 1)) == ""
    assert DEFAULT_LIMITS
    assert Limits(first_invoice=Decimal(1))


def by_default(amount: int, *, on_subscription: bool = False, **figures: Any) -> tuple[str, str]:
    bill = BillFigures("the invoice", "usd", amount, **{"floor": 10_000, **figures})
    return hold(POLICY, bill, on_subscription=on_subscription)


@pytest.mark.parametrize(
    ("amount", "figures", "reason"),
    [
        (10_000, {"carried": 10_000}, ""),
        (10_001, {"carried": 5_000}, ""),
        (
            10_001,
            {"carried": 5_001},
            "50.01 USD of 100.01 USD is usage carried over from earlier periods, more than 50.0%",
        ),
        (100_000, {"is_first": True}, ""),
        (
            100_001,
            {"is_first": True},
            "the invoice totals 1,000.01 USD, more than 10 times 100.00 USD, and is the account's first",
        ),
        (100_001, {}, ""),
        (60_000, {"previous": 20_000, "window_us": 30 * DAY_US, "previous_us": 30 * DAY_US}, ""),
        (
            60_001,
            {"previous": 20_000, "window_us": 30 * DAY_US, "previous_us": 30 * DAY_US},
            PER_DAY.format("30 days", "200.00", "30 days"),
        ),
        (60_001, {"previous": 2_001, "window_us": 30 * DAY_US, "previous_us": 3 * DAY_US}, ""),
        (
            60_001,
            {"previous": 40_000, "window_us": DAY_US // 2, "previous_us": 31 * DAY_US},
            PER_DAY.format("0.5 days", "400.00", "31 days"),
        ),
        (60_001, {"previous": 1, "window_us": 0, "previous_us": 31 * DAY_US}, ""),
        (60_001, {"previous": 1, "window_us": DAY_US, "previous_us": 0}, ""),
    ],
)
def test_defaults_hold_above_the_floor(amount: int, figures: dict[str, Any], reason: str) -> None:
    assert by_default(amount, **figures) == (reason, "")


def test_without_a_floor_no_default_holds() -> None:
    assert by_default(10**7, carried=10**7, is_first=True, floor=None) == ("", "")


@pytest.mark.parametrize("on_subscription", [True, False])
@pytest.mark.parametrize(
    ("currency", "amount", "most"),
    [("usd", 10**8, "999,999.99 USD"), ("isk", 10**8, "999,999.99 ISK"), ("idr", 10**12, "9,999,999,999.99 IDR")],
)
def test_more_than_stripe_charges_is_held_whatever_the_limits(
    currency: str, amount: int, most: str, on_subscription: bool
) -> None:
    bill = BillFigures("the invoice", currency, amount)
    held = hold(Policy(), bill, on_subscription=on_subscription)
    assert held.hold.endswith(f", above {most}, the most that Stripe charges by every payment method")
    assert held.caution == ""
    assert hold(Policy(), replace(bill, amount=amount - 1), on_subscription=on_subscription).hold == ""


def test_a_line_above_what_stripe_charges_is_held_though_tiers_lower_the_total() -> None:
    bill = BillFigures("the invoice", "usd", 5, largest_line=10**8)
    assert hold(Policy(), bill, on_subscription=False).hold.startswith("a line of the invoice has 1,000,000.00 USD, ")


def test_on_a_subscriptions_draft_defaults_warn_and_limits_that_are_set_hold() -> None:
    hold_text, caution = by_default(10**6, on_subscription=True, is_first=True, carried=10**6)
    assert hold_text == ""
    assert caution.endswith("is the account's first")
    is_set = Policy(limits=Limits(carried_share=Decimal("0.5")), floor=FLOORS)
    bill = BillFigures("the invoice", "usd", 100, 51, floor=10_000)
    assert "more than 50.0%" in hold(is_set, bill, on_subscription=True).hold


def card(**prices: str) -> RateCard:
    version = {
        "effective_from": at("2022-01-01"),
        "credits_per_minute": {"default": "1"},
        "price_per_credit": {"usd": "0.036", "eur": "0.034", "jpy": "4.7", "kwd": "0.011"},
    }
    newer = {**version, "effective_from": at("2022-06-01"), "price_per_credit": prices}
    return parse_rate_card({"version": [version, newer]})


@pytest.mark.parametrize(
    ("currency", "cutoff", "prices", "floor"),
    [
        ("usd", "2022-06-01", {"gbp": "1"}, 10_000),
        ("jpy", "2022-06-01", {"gbp": "1"}, 13_056),  # 100 / 0.036 * 4.7
        ("kwd", "2022-06-01", {"gbp": "1"}, 30_560),
        ("jpy", "2022-06-02", {"jpy": "5", "usd": "0.05", "eur": "0.01"}, 10_000),
        ("jpy", "2022-06-02", {"jpy": "5", "eur": "0.01"}, 50_000),
        ("jpy", "2022-06-02", {"jpy": "5", "usd": "0", "eur": "0.01"}, 50_000),
        ("jpy", "2022-06-02", {"jpy": "5"}, None),
        ("jpy", "2022-06-02", {"usd": "1"}, None),
        ("jpy", "2022-01-01", {"usd": "1"}, None),
    ],
)
def test_the_floor_of_another_currency_is_by_the_ratio_of_prices(
    currency: str, cutoff: str, prices: dict[str, str], floor: int | None
) -> None:
    assert floor_in(currency, FLOORS, card(**prices), at(cutoff)) == floor
