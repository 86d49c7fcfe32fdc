"""Rating, compared with a naive reference in exact fractions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.errors import PricingError
from billing.pricing.rating import RateCard, RatedLine, RateVersion, is_billable_total, rate_credits

START = datetime(2022, 1, 1, tzinfo=UTC)
LATER = datetime(2022, 5, 10, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINOR_UNITS = {"usd": 100, "jpy": 1, "kwd": 1000, "isk": 100}
STEPS = {"usd": 1, "jpy": 1, "kwd": 10, "isk": 100}

durations = st.integers(0, 10**18)
rates = st.decimals(min_value=0, max_value=10**9 - 1, places=12)
prices = st.decimals(min_value=0, max_value=10**4, places=12)
currencies = st.sampled_from(sorted(MINOR_UNITS))


def half_even(number: Fraction) -> int:
    return round(number)  # a Fraction is exact, and Python rounds its ties to the even number


def naive_credits(duration_us: int, rate: Decimal) -> Fraction:
    return Fraction(half_even(Fraction(duration_us, 60_000_000) * Fraction(rate) * 10**6), 10**6)


def naive_amount(credits: Fraction, price: Decimal, currency: str) -> int:
    return floor(credits * Fraction(price) * MINOR_UNITS[currency] / STEPS[currency] + Fraction(1, 2)) * STEPS[currency]


def version(start: datetime = START, *, rate: str = "0.5", price: str = "1", minimum: str = "0.5") -> RateVersion:
    return RateVersion(start, {"default": Decimal(rate)}, {"usd": Decimal(price)}, {"usd": Decimal(minimum)})


def card_of(rate: Decimal, price: Decimal, currency: str) -> RateCard:
    return RateCard((RateVersion(START, {"default": rate}, {currency: price}, {}),))


@given(durations, rates)
@example(30, Decimal("1"))  # exactly half a millionth: to the even 0
@example(90, Decimal("1"))  # one and a half: to the even 2
@example(150, Decimal("1"))  # two and a half: to the even 2
@example(31, Decimal("1"))
@example(1, Decimal("29.999999999999"))
@example(1, Decimal("30.000000000001"))
@example(10**18, Decimal("999999999.000000000001"))
@example(3_000_000_001 * 60_000_000, Decimal("999999999.000000500001"))  # a hair above a tie, in 31 digits
def test_credits_are_those_of_the_reference(duration_us: int, rate: Decimal) -> None:
    credits = rate_credits(duration_us, rate)
    assert Fraction(credits) == naive_credits(duration_us, rate)
    assert credits.as_tuple().exponent == -6


@given(durations, rates, prices, currencies)
@example(60_000_000, Decimal("1"), Decimal("0.005"), "usd")  # half a cent: up
@example(60_000_000, Decimal("1"), Decimal("0.004999999999"), "usd")
@example(60_000_000, Decimal("1"), Decimal("0.5"), "jpy")
@example(60_000_000, Decimal("3"), Decimal("0.5"), "jpy")  # one and a half: up to 2
@example(60_000_000, Decimal("5"), Decimal("0.5"), "jpy")  # two and a half: up to 3, not to the even
@example(60_000_000, Decimal("1"), Decimal("0.005"), "kwd")
@example(60_000_000, Decimal("1"), Decimal("0.5"), "isk")
def test_amounts_are_those_of_the_reference(duration_us: int, rate: Decimal, price: Decimal, currency: str) -> None:
    line = card_of(rate, price, currency).rate_line("default", START, duration_us, currency)
    assert line.amount == naive_amount(naive_credits(duration_us, rate), price, currency)
    assert type(line.amount) is int
    assert line.step == STEPS[currency]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), rates, prices)
def test_a_line_is_rounded_once_however_many_claims_it_has(parts: list[int], rate: Decimal, price: Decimal) -> None:
    whole = card_of(rate, price, "usd").rate_line("default", START, sum(parts), "usd")
    exact = sum((Fraction(part, 60_000_000) * Fraction(rate) for part in parts), Fraction(0))
    assert abs(Fraction(whole.credits) - exact) <= Fraction(1, 2 * 10**6)


@given(st.integers(1, 10**15), st.integers(0, 10**15), rates, prices)
def test_more_usage_never_costs_less(duration_us: int, more_us: int, rate: Decimal, price: Decimal) -> None:
    card = card_of(rate, price, "usd")
    less = card.rate_line("default", START, duration_us, "usd")
    more = card.rate_line("default", START, duration_us + more_us, "usd")
    assert (less.credits, less.amount) <= (more.credits, more.amount)
    assert less.amount >= 0


def test_a_rated_line_says_how_it_came_about() -> None:
    rates = {"default": Decimal("0.1666666667"), "xl": Decimal("0.3333333333")}
    card = RateCard((RateVersion(START, rates, {"usd": Decimal("0.036")}, {}),))
    hour = 3_600_000_000
    assert card.rate_line("xl", START, hour, "usd") == RatedLine(
        workspace_class="xl",
        rate_from=START,
        credits_per_minute=Decimal("0.3333333333"),
        rated_as_default=False,
        price_per_credit=Decimal("0.036"),
        duration_us=hour,
        credits=Decimal("20.000000"),
        amount=72,
    )
    unknown = card.rate_line("gpu", START, hour, "usd")
    assert (unknown.workspace_class, unknown.rated_as_default) == ("gpu", True)
    assert unknown.credits_per_minute == Decimal("0.1666666667")
    assert card.rate_line("default", START, hour, "usd").rated_as_default is False


def test_each_instant_has_the_version_that_was_in_force_then() -> None:
    old, new = version(START), version(LATER, rate="2")
    card = RateCard((old, new))
    assert card.in_force(START - MICROSECOND) is None
    assert card.in_force(START) is old
    assert card.in_force(LATER - MICROSECOND) is old
    assert card.in_force(LATER) is new
    assert card.in_force(datetime(2100, 1, 1, tzinfo=UTC)) is new


def test_usage_is_priced_by_its_own_version() -> None:
    card = RateCard((version(START, rate="1", price="1"), version(LATER, rate="2", price="3")))
    assert card.rate_line("default", START, 60_000_000, "usd").amount == 100
    assert card.rate_line("default", LATER, 60_000_000, "usd").amount == 600


def test_what_the_card_cannot_price_is_an_error_that_says_so() -> None:
    card = RateCard((version(),))
    with pytest.raises(PricingError, match="no price_per_credit in eur"):
        card.rate_line("default", START, 1, "eur")
    with pytest.raises(PricingError, match="no version effective from 2022-05-10"):
        card.rate_line("default", LATER, 1, "usd")


def test_the_minimum_charge_is_that_in_force_just_before_the_cutoff() -> None:
    card = RateCard((version(START, minimum="0.5"), version(LATER, minimum="1")))
    assert card.minimum_charge(START, "usd") == 0
    assert card.minimum_charge(START + MICROSECOND, "usd") == 50
    assert card.minimum_charge(LATER, "usd") == 50
    assert card.minimum_charge(LATER + MICROSECOND, "usd") == 100
    assert card.minimum_charge(LATER, "eur") == 0


@pytest.mark.parametrize(
    ("total", "minimum", "made"), [(0, 0, False), (1, 0, True), (49, 50, False), (50, 50, True), (0, 50, False)]
)
def test_totals_of_zero_or_below_the_minimum_are_not_invoiced(total: int, minimum: int, made: bool) -> None:
    assert is_billable_total(total, minimum) is made


def test_the_digest_is_that_of_the_content() -> None:
    card = RateCard((version(),))
    assert card.digest == RateCard((version(),)).digest
    assert len(card.digest) == 16
    others = [version(LATER), version(rate="0.6"), version(price="2"), version(minimum="1")]
    assert len({card.digest, *(RateCard((other,)).digest for other in others)}) == 5
