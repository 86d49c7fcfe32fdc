"""Included credits and graduated prices, compared with a reference that integrates the price over the month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pricing.graduation import Graduated, MonthlyUsage, Place, free_places, graduate, place, tiers_in_words
from billing.pricing.rate_card import parse_rate_card
from billing.pricing.rating import LineKind, RateCard, RatedLine, TierShare

JANUARY, MARCH = datetime(2022, 1, 1, tzinfo=UTC), datetime(2022, 3, 1, tzinfo=UTC)
MINUTE_US = 60_000_000


def card(included: str = "100", currency: str = "usd", first: str = "0.05", second: str = "0.03") -> RateCard:
    tiers = {currency: [{"up_to": "50", "price": first}, {"price": second}]}
    version = {"credits_per_minute": {"default": "1"}, "included_credits": included, "tiers": tiers}
    return parse_rate_card({"version": [{"effective_from": start, **version} for start in (JANUARY, MARCH)]})


def bill(
    rates: RateCard, *usage: MonthlyUsage, used: Mapping[str, Sequence[Place]] | None = None, currency: str = "usd"
) -> tuple[int, Graduated]:
    """Return the usage's total, in minor units, and its graduation."""
    durations: dict[tuple[str, datetime], int] = {}
    for each in usage:
        key = (each.workspace_class, each.rate_from)
        durations[key] = durations.get(key, 0) + int(each.metered_us)
    rated = [rates.rate_line(name, start, total, currency) for (name, start), total in sorted(durations.items())]
    graduated = graduate(
        rates, currency, usage, rated, used=used or {}, included=lambda _: rates.versions[0].included_credits
    )
    return sum(line.amount for line in [*rated, *graduated.lines]), graduated


def minutes(month: str, count: float, start: datetime = JANUARY, name: str = "default") -> MonthlyUsage:
    return MonthlyUsage(name, start, month, int(count * MINUTE_US))


def test_included_credits_cost_nothing_and_what_follows_is_graduated() -> None:
    amount, graduated = bill(card(), minutes("2022-02", 200))
    (line,) = graduated.lines
    assert amount == 50 * 5 + 50 * 3
    assert line.tiers == (
        TierShare(Decimal(100), Decimal(0)),
        TierShare(Decimal(50), Decimal("0.05")),
        TierShare(Decimal(50), Decimal("0.03")),
    )
    assert (line.kind, line.amount, line.credits) == (LineKind.TIERS, 400 - 1000, Decimal(0))
    assert tiers_in_words(line.tiers) == "100 credits included, 50 at 0.05, 50 at 0.03"


def test_wholly_included_usage_nets_exactly_nothing() -> None:
    usage = [minutes("2022-02", 0.13, name=name) for name in ("a", "b", "c")]
    assert bill(card(), *usage)[0] == 0


def test_each_month_has_its_own_credits_whenever_it_is_invoiced() -> None:
    amount, graduated = bill(card(), minutes("2022-01", 90), minutes("2022-02", 110))
    assert amount == 10 * 5
    assert graduated.months == {
        "2022-01": (Place(Decimal(0), Decimal(90)),),
        "2022-02": (Place(Decimal(0), Decimal(110)),),
    }


@pytest.mark.parametrize(("before", "amount"), [(90, 10 * 5), (140, 10 * 5 + 10 * 3), (500, 20 * 3)])
def test_other_invoices_of_the_month_have_used_their_part(before: int, amount: int) -> None:
    used = {"2022-02": [Place(Decimal(0), Decimal(before))]}
    assert bill(card(), minutes("2022-02", 20), used=used)[0] == amount


def test_the_place_of_one_that_was_voided_is_taken_again() -> None:
    later = [Place(Decimal(100), Decimal(50))]
    assert bill(card(), minutes("2022-02", 120), used={"2022-02": later})[0] == 20 * 3
    assert free_places([Place(Decimal(5), Decimal(2)), Place(Decimal(10), Decimal(1))], Decimal(9)) == [
        Place(Decimal(0), Decimal(5)),
        Place(Decimal(7), Decimal(3)),
        Place(Decimal(11), Decimal(1)),
    ]


def test_a_rate_change_goes_on_where_the_month_is() -> None:
    amount, graduated = bill(card(), minutes("2022-03", 120), minutes("2022-03", 60, MARCH))
    assert amount == 20 * 5 + (30 * 5 + 30 * 3)
    assert [line.rate_from for line in graduated.lines] == [JANUARY, MARCH]


def test_no_line_when_all_is_at_the_base_price() -> None:
    assert bill(card(included="0"), minutes("2022-02", 40))[1].lines == ()


@pytest.mark.parametrize(
    ("currency", "first", "second", "amount"),
    [("jpy", "5", "3", 20 * 5), ("kwd", "0.0501", "0.03", 1000), ("isk", "5.06", "3", 10100)],
)
def test_minor_units_of_yen_dinar_and_krona(currency: str, first: str, second: str, amount: int) -> None:
    assert bill(card("100", currency, first, second), minutes("2022-02", 120), currency=currency)[0] == amount


_CREDITS = st.decimals(min_value=0, max_value=400, places=6)


@given(position=_CREDITS, credits=_CREDITS, included=st.decimals(min_value=0, max_value=200, places=6))
def test_credits_are_placed_where_the_schedule_has_them(position: Decimal, credits: Decimal, included: Decimal) -> None:
    def cost(upto: Fraction) -> Fraction:
        """Return the exact cost of a month's credits up to this one."""
        paid = max(upto - Fraction(included), Fraction(0))
        return min(paid, Fraction(50)) * Fraction("0.05") + max(paid - 50, Fraction(0)) * Fraction("0.03")

    shares = place(card().versions[0], "usd", included, position, credits)
    assert sum((share.credits for share in shares), Decimal(0)) == credits
    found = sum((Fraction(share.credits) * Fraction(share.price) for share in shares), Fraction(0))
    assert found == cost(Fraction(position) + Fraction(credits)) - cost(Fraction(position))


_USAGE = st.lists(
    st.tuples(
        st.sampled_from(["2022-01", "2022-02", "2022-03"]),
        st.sampled_from([JANUARY, MARCH]),
        st.sampled_from(["default", "xl"]),
        st.integers(1, 300 * MINUTE_US),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each[:3],
)


@given(rows=_USAGE)
def test_shares_are_the_versions_credits_and_two_invoices_cost_what_one_does(
    rows: list[tuple[str, datetime, str, int]],
) -> None:
    usage = [MonthlyUsage(name, start, month, us) for month, start, name, us in sorted(rows)]
    amount, graduated = bill(card(), *usage)
    rated: dict[datetime, Decimal] = {}
    for line in graduated.lines:
        rated[line.rate_from] = sum((share.credits for share in line.tiers), Decimal(0))
    durations: dict[tuple[str, datetime], int] = {}
    for each in usage:
        durations[each.workspace_class, each.rate_from] = durations.get((each.workspace_class, each.rate_from), 0) + (
            int(each.metered_us)
        )
    for start, credits in rated.items():
        lines: list[RatedLine] = [
            card().rate_line(name, start, us, "usd") for (name, since), us in durations.items() if since == start
        ]
        assert credits == sum((line.credits for line in lines), Decimal(0))
    assert amount >= 0

    # Split by month into two invoices, one after the other: no month pays for a place twice.
    first = [each for each in usage if each.month == "2022-01"]
    second = [each for each in usage if each.month != "2022-01"]
    if first and second:
        one, placed = bill(card(), *first)
        two, _ = bill(card(), *second, used=placed.months)
        assert abs(one + two - amount) <= 4  # each version is rounded once on each invoice
