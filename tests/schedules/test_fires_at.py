"""When the schedule fires, the month has ended in every zone, and that month is the one billed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.errors import InputError
from billing.periods import BillingPeriod
from temporal.schedules import fires_at

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [
        ("UTC", 1, 6),
        ("Asia/Tokyo", 1, 6),  # the month ended nine hours before midnight UTC; the 1st exists in every month
        ("Europe/Berlin", 1, 6),
        ("America/Los_Angeles", 1, 14),  # at UTC-8, the later of its two offsets
        ("America/St_Johns", 1, 10),  # 03:30 and the delay, to the full hour
        ("Pacific/Honolulu", 1, 16),
        ("Pacific/Pago_Pago", 1, 17),
        ("Pacific/Kiritimati", 1, 6),
        ("Etc/GMT+12", 1, 18),
    ],
)
def test_six_hours_after_the_month(zone: str, day: int, hour: int) -> None:
    assert fires_at(ZoneInfo(zone), 6 * HOUR) == (day, hour)


@pytest.mark.parametrize(
    ("zone", "delay", "fires"),
    [
        ("UTC", timedelta(), (1, 0)),
        ("UTC", timedelta(minutes=1), (1, 1)),
        ("UTC", 24 * HOUR, (2, 0)),
        ("UTC", 27 * 24 * HOUR, (28, 0)),
        ("Pacific/Pago_Pago", 13 * HOUR, (2, 0)),
    ],
)
def test_the_delay(zone: str, delay: timedelta, fires: tuple[int, int]) -> None:
    assert fires_at(ZoneInfo(zone), delay) == fires


@pytest.mark.parametrize("delay", [timedelta(hours=-1), timedelta(days=28), timedelta(days=365)])
def test_a_day_that_not_every_month_has_is_refused(delay: timedelta) -> None:
    with pytest.raises(InputError, match="is not possible: use a delay from 0 hours to 26 days"):
        fires_at(ZoneInfo("UTC"), delay)


ZONES = ["UTC", "Asia/Tokyo", "Pacific/Honolulu", "America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago"]


def _check(zone: ZoneInfo, delay: timedelta, first_year: int) -> None:
    day, hour = fires_at(zone, delay)
    for year in range(first_year, first_year + 10):
        for month in range(1, 13):
            period = BillingPeriod(year, month)
            following = period.next()
            fire = datetime(following.year, following.month, day, hour, tzinfo=UTC)
            assert fire >= period.end(zone) + delay, f"{period} of {zone}: fires at {fire}"
            assert BillingPeriod.last_ended(fire, zone) == period, f"{period} of {zone}: fires at {fire}"


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("hours", [0, 6, 26 * 24])
def test_every_month_of_ten_years(name: str, hours: int) -> None:
    _check(ZoneInfo(name), hours * HOUR, 2024)


@settings(deadline=None, max_examples=150)
@given(
    name=st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
    delay=st.timedeltas(timedelta(), timedelta(days=26)),
    first_year=st.integers(2024, 2028),
)
def test_every_month_of_every_zone(name: str, delay: timedelta, first_year: int) -> None:
    _check(ZoneInfo(name), delay, first_year)
