"""Limits, exact to the minor unit, and how amounts are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.errors import InputError
from billing.invoice.policy import AccountPolicy, ChargeOn, Finalization, Limits, Policy, parse_amounts

LIMITS = Limits({"usd": 1000, "jpy": 10}, Decimal("1.5"), Decimal("0.25"))


def exceeded(amount: int, carried: int = 0, previous: int | None = None, currency: str = "usd") -> str:
    return LIMITS.exceeded("the invoice", currency, amount, carried, previous)


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
    assert "1.01 USD of 4.00 USD is usage carried over" in exceeded(400, carried=101)


def test_all_that_is_exceeded_is_reported() -> None:
    assert exceeded(2000, carried=1999, previous=1).count(";") == 2


def test_no_limits_stop_nothing() -> None:
    assert not Limits()
    assert Limits().exceeded("x", "usd", 10**15, 10**15, 1) == ""


def test_what_an_account_leaves_open_is_the_deployments() -> None:
    default = Policy(ChargeOn.SUBSCRIPTION, Finalization.GRACE, LIMITS)
    assert AccountPolicy().over(default, "usd") == default
    own = AccountPolicy(ChargeOn.OWN, None, 5, None, Decimal(0)).over(default, "usd")
    assert (own.charge_on, own.finalization) == (ChargeOn.OWN, Finalization.GRACE)
    assert own.limits == Limits({"usd": 5, "jpy": 10}, Decimal("1.5"), Decimal(0))


@pytest.mark.parametrize(
    ("text", "amounts"),
    [("", {}), ("usd=10000", {"usd": 1_000_000}), ("usd=1.5, jpy=7 kwd=0.001", {"usd": 150, "jpy": 7, "kwd": 1})],
)
def test_amounts_by_currency(text: str, amounts: dict[str, int]) -> None:
    assert parse_amounts(text) == amounts


@pytest.mark.parametrize("text", ["usd", "usd=", "usd=-1", "usd=1.234", "jpy=0.5", "dollars=1", "usd=1e3", "=1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_amounts(text)
