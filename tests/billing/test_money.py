"""Minor units of currencies with zero, two and three decimals; rounding half-up, once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.money import exponent, format_amount, parse_currency, to_major, to_minor

DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "krw": 0, "kwd": 3, "bhd": 3}
currencies = st.sampled_from(sorted(DECIMALS))
amounts = st.decimals(min_value=0, max_value=10**13, allow_nan=False, allow_infinity=False, places=18)


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


@given(amounts, currencies)
@example(Decimal("0.005"), "usd")
@example(Decimal("0.004999999999999999"), "usd")
@example(Decimal("0.5"), "jpy")
@example(Decimal("0.0005"), "kwd")
def test_minor_units_are_rounded_half_up(major: Decimal, currency: str) -> None:
    assert to_minor(major, currency) == half_up(Fraction(major) * 10 ** DECIMALS[currency])


@given(st.integers(0, 2**63 - 1), currencies)
def test_major_units_are_exact(minor: int, currency: str) -> None:
    assert Fraction(to_major(minor, currency)) == Fraction(minor, 10 ** DECIMALS[currency])
    assert to_minor(to_major(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1234, "usd", "12.34 USD"),
        (5, "usd", "0.05 USD"),
        (0, "usd", "0.00 USD"),
        (123456789, "eur", "1,234,567.89 EUR"),
        (1200, "jpy", "1,200 JPY"),
        (0, "jpy", "0 JPY"),
        (1500, "kwd", "1.500 KWD"),
        (1, "kwd", "0.001 KWD"),
    ],
)
def test_amounts_for_people(minor: int, currency: str, text: str) -> None:
    assert format_amount(minor, currency) == text


def test_yen_is_not_times_a_hundred_and_dinar_is_times_a_thousand() -> None:
    assert (exponent("jpy"), exponent("usd"), exponent("kwd")) == (0, 2, 3)
    assert to_minor(Decimal("12.5"), "jpy") == 13
    assert to_minor(Decimal("12.5"), "kwd") == 12500


@pytest.mark.parametrize(("text", "code"), [("usd", "usd"), ("USD", "usd"), (" Eur ", "eur")])
def test_currencies_are_normalised(text: str, code: str) -> None:
    assert parse_currency(text) == code


@pytest.mark.parametrize("text", ["", "us", "usdt", "us1", "$", "\u212awd", "üsd", "u d"])
def test_what_is_no_currency_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="not a currency"):
        parse_currency(text)
