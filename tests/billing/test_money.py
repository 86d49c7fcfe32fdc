"""Minor units of currencies with zero, two and three decimals; rounding half-up, once, to what Stripe charges."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.money import exponent, format_amount, maximum, parse_amount, parse_currency, step, to_major, to_minor

DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "krw": 0, "kwd": 3, "bhd": 3, "isk": 2, "ugx": 2, "huf": 2, "twd": 2}
STEPS = dict.fromkeys(DECIMALS, 1) | {"kwd": 10, "bhd": 10, "isk": 100, "ugx": 100}
currencies = st.sampled_from(sorted(DECIMALS))
amounts = st.decimals(min_value=0, max_value=10**13, allow_nan=False, allow_infinity=False, places=18)


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


@given(amounts, currencies)
@example(Decimal("0.005"), "usd")
@example(Decimal("0.004999999999999999"), "usd")
@example(Decimal("0.5"), "jpy")
@example(Decimal("0.005"), "kwd")
@example(Decimal("0.004999999999999999"), "kwd")
@example(Decimal("0.5"), "isk")
@example(Decimal("0.499999999999999999"), "ugx")
def test_minor_units_are_rounded_half_up_to_a_step(major: Decimal, currency: str) -> None:
    exact, unit = Fraction(major) * 10 ** DECIMALS[currency], STEPS[currency]
    assert to_minor(major, currency) == half_up(exact / unit) * unit
    assert to_minor(-major, currency) == -to_minor(major, currency)
    assert to_minor(major, currency, 1) == half_up(exact)


@given(st.integers(0, 2**63 - 1), currencies)
def test_major_units_are_exact(minor: int, currency: str) -> None:
    assert Fraction(to_major(minor, currency)) == Fraction(minor, 10 ** DECIMALS[currency])
    assert to_minor(to_major(minor, currency), currency, 1) == minor


@pytest.mark.parametrize("currency", sorted(STEPS))
def test_three_decimals_end_in_0_and_some_currencies_have_whole_units_alone(currency: str) -> None:
    assert step(currency) == STEPS[currency]


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("1.25", "kwd", 1250), ("1.250", "kwd", 1250), ("0.010", "kwd", 10), ("10", "isk", 1000), ("10.00", "ugx", 1000)],
)
def test_a_person_writes_what_can_be_charged(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("1,50", "usd", 150), ("1234,5", "usd", 123450), ("0,500", "kwd", 500), ("1234,560", "kwd", 1_234_560)],
)
def test_a_comma_separates_decimals_too(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(("text", "currency"), [("1,234", "usd"), ("1,234", "jpy"), ("12,340", "kwd")])
def test_a_comma_that_could_separate_thousands_is_refused(text: str, currency: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_amount(text, currency)
    whole, decimal = text.replace(",", ""), text.replace(",", ".")
    assert str(refused.value) == f"'{text}' has two meanings: write {whole} or {decimal}"


@pytest.mark.parametrize("text", ["1,234.50", "1.234,50", "1,2,3", ",5", "5,", "-1,5"])
def test_what_mixes_separators_is_no_amount(text: str) -> None:
    with pytest.raises(InputError, match="is not an amount"):
        parse_amount(text, "usd")


@pytest.mark.parametrize(
    ("text", "currency", "least"),
    [
        ("1.234", "kwd", "0.010 KWD"),
        ("1.2345", "bhd", "0.010 BHD"),
        ("10.50", "isk", "1 ISK"),
        ("0.001", "ugx", "1 UGX"),
    ],
)
def test_what_is_off_the_step_is_refused_in_one_line(text: str, currency: str, least: str) -> None:
    with pytest.raises(InputError, match=f"'{text}' cannot be charged: Stripe takes multiples of {least} only"):
        parse_amount(text, currency)


@pytest.mark.parametrize(
    ("currency", "most"),
    [
        ("usd", "999,999.99 USD"),
        ("jpy", "99,999,999 JPY"),
        ("kwd", "99,999.999 KWD"),
        ("idr", "9,999,999,999.99 IDR"),
        ("cop", "99,999,999.99 COP"),
        ("inr", "9,999,999.99 INR"),
    ],
)
def test_the_largest_amounts_are_those_of_stripes_page(currency: str, most: str) -> None:
    assert format_amount(maximum(currency), currency) == most


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
        (375600, "isk", "3,756 ISK"),
        (0, "ugx", "0 UGX"),
        (-100, "ugx", "-1 UGX"),
        (283262, "isk", "2,832.62 ISK"),
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
