"""Months in zones where local midnight is missing, comes twice, or crosses the date line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.periods import BillingPeriod

MICROSECOND = timedelta(microseconds=1)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # DST began at midnight until 2018
    "America/Asuncion",  # on 1 October 2017 there was no midnight
    "Asia/Damascus",  # nor on 1 April from 1999 to 2006
    "America/Havana",  # on 1 November 2020 midnight came twice
    "America/St_Johns",  # on 1 November 2009, a minute of November, then October again
    "America/Goose_Bay",
    "Pacific/Apia",  # has no 30 December 2011
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
]
periods = st.builds(BillingPeriod, st.integers(1970, 9998), st.integers(1, 12))
recent = st.builds(BillingPeriod, st.integers(1985, 2035), st.integers(1, 12))
zones = st.sampled_from(ZONES).map(ZoneInfo)


def first_instant(period: BillingPeriod, zone: ZoneInfo) -> datetime:
    """Find the period's first instant by reading the local clock every minute, from a day before."""
    instant = datetime(period.year, period.month, 1, tzinfo=UTC) - timedelta(hours=30)
    while (local := instant.astimezone(zone)) and (local.year, local.month) != (period.year, period.month):
        instant += timedelta(minutes=1)
    return instant


@given(recent, zones)
@example(BillingPeriod(2017, 10), ZoneInfo("America/Asuncion"))
@example(BillingPeriod(2005, 4), ZoneInfo("Asia/Damascus"))
@example(BillingPeriod(2020, 11), ZoneInfo("America/Havana"))
@example(BillingPeriod(2009, 11), ZoneInfo("America/St_Johns"))
@example(BillingPeriod(2012, 1), ZoneInfo("Pacific/Apia"))
def test_a_period_starts_at_the_first_instant_that_a_clock_there_shows(period: BillingPeriod, zone: ZoneInfo) -> None:
    assert period.start(zone) == first_instant(period, zone)
    assert period.start(zone).tzinfo is UTC


@given(periods, zones)
def test_periods_leave_no_gap_and_do_not_overlap(period: BillingPeriod, zone: ZoneInfo) -> None:
    assert period.start(zone) < period.end(zone) == period.next().start(zone)
    assert period.next().previous() == period


@given(recent, zones, st.integers(-(3 * 3_600_000_000), 3 * 3_600_000_000))
@example(BillingPeriod(2009, 11), ZoneInfo("America/St_Johns"), 30 * 60_000_000)
@example(BillingPeriod(2009, 11), ZoneInfo("America/Goose_Bay"), 30 * 60_000_000)
def test_every_instant_lies_in_the_one_period_that_contains_it(
    period: BillingPeriod, zone: ZoneInfo, microseconds: int
) -> None:
    instant = period.start(zone) + timedelta(microseconds=microseconds)
    found = BillingPeriod.containing(instant, zone)
    assert found.start(zone) <= instant < found.end(zone)
    assert found == (period if microseconds >= 0 else period.previous())


@given(recent, zones)
def test_boundaries_are_exact_to_the_microsecond(period: BillingPeriod, zone: ZoneInfo) -> None:
    start, end = period.start(zone), period.end(zone)
    assert BillingPeriod.containing(start, zone) == period
    assert BillingPeriod.containing(start - MICROSECOND, zone) == period.previous()
    assert BillingPeriod.of_cutoff(end, zone) == period
    assert BillingPeriod.of_cutoff(end + MICROSECOND, zone) == period.next()
    assert BillingPeriod.last_ended(end, zone) == period
    assert BillingPeriod.last_ended(end - MICROSECOND, zone) == period.previous()


@pytest.mark.parametrize(
    ("text", "zone", "hours"),
    [
        ("2022-01", "UTC", 31 * 24),
        ("2022-04", "UTC", 30 * 24),
        ("2022-02", "UTC", 28 * 24),
        ("2024-02", "UTC", 29 * 24),
        ("2000-02", "UTC", 29 * 24),
        ("2100-02", "UTC", 28 * 24),
        ("2022-03", "Europe/Berlin", 31 * 24 - 1),
        ("2022-10", "Europe/Berlin", 31 * 24 + 1),
        ("2011-12", "Pacific/Apia", 30 * 24),
    ],
)
def test_months_have_the_hours_they_have(text: str, zone: str, hours: int) -> None:
    period = BillingPeriod.parse(text)
    assert period.end(ZoneInfo(zone)) - period.start(ZoneInfo(zone)) == timedelta(hours=hours)


@given(periods)
def test_text_round_trip_and_order(period: BillingPeriod) -> None:
    assert BillingPeriod.parse(str(period)) == period
    assert period < period.next()
    assert str(period) < str(period.next())


@pytest.mark.parametrize(
    "text",
    ["", "2022", "2022-5", "2022-13", "2022-00", "22-05", "2022-05-01", " 2022-05", "2022-05\n", "2022/05",
     "1969-12", "9999-01", "٢٠٢٢-05", "２０２２-05", "last"],
)  # fmt: skip
def test_what_is_no_period_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="YYYY-MM") as caught:
        BillingPeriod.parse(text)
    assert "\n" not in str(caught.value)
