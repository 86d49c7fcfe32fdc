"""Times without a zone, and numbers since 1970: the first are placed exactly or refused, the others explained."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.usage.parsing import parse_account
from billing.usage.rows import AccountRow
from billing.usage.times import parse_time

BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = datetime(2022, 10, 30, 2, 30, tzinfo=UTC).replace(tzinfo=None)
SPRING = datetime(2022, 3, 27, 2, 30, tzinfo=UTC).replace(tzinfo=None)
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")]


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2090, 1, 1)),  # noqa: DTZ001  naive on purpose
    st.sampled_from(ZONES),
)
def test_a_time_is_the_only_instant_at_which_clocks_show_it(naive: datetime, zone: ZoneInfo) -> None:
    around = (naive.replace(tzinfo=UTC) + timedelta(minutes=minutes) for minutes in range(-15 * 60, 15 * 60, 30))
    shown = {instant for instant in around if instant.astimezone(zone).replace(tzinfo=None) == naive}
    for value in (naive, naive.isoformat()):
        if len(shown) == 1:
            assert {parse_time(value, zone)} == shown
        else:
            with pytest.raises(InputError, match="twice" if shown else "never"):
                parse_time(value, zone)


@pytest.mark.parametrize("value", ["2022-10-30T02:00:00", "2022-10-30 02:59:59.999999", AUTUMN])
def test_what_clocks_show_twice_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="was shown twice by the clocks of Europe/Berlin"):
        parse_time(value, BERLIN)


@pytest.mark.parametrize("value", ["2022-03-27T02:00:00", "2022-03-27 02:59:59.999999", SPRING])
def test_what_clocks_never_show_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="was never shown by the clocks of Europe/Berlin"):
        parse_time(value, BERLIN)


def test_a_zone_in_the_field_wins_and_accounts_have_zones_too() -> None:
    assert parse_time("2022-10-30T02:30:00+02:00", BERLIN) == datetime(2022, 10, 30, 0, 30, tzinfo=UTC)
    row = parse_account(2, {"attribution_id": "a", "currency": "usd", "started": "2022-05-01 00:00"}, BERLIN)
    assert isinstance(row, AccountRow)
    assert row.started == datetime(2022, 4, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1651654740, "seconds"),
        ("1651654740.25", "seconds"),
        (1651654740.25, "seconds"),
        (Decimal("1651654740.5"), "seconds"),
        ("1651654740123", "milliseconds"),
        (1651654740123456, "microseconds"),
        ("1651654740123456789", "nanoseconds"),
    ],
)
def test_a_number_since_1970_is_refused_with_what_to_write(value: object, unit: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_time(value)
    assert str(caught.value) == f"{value!r} is not a time; write {unit} since 1970 as 2022-05-04T08:59:00Z"


@pytest.mark.parametrize("value", ["12345", 0, True, -1651654740, "9" * 25, 20220504, "20220504085900"])
def test_other_numbers_are_not_explained_as_times(value: object) -> None:
    with pytest.raises(InputError, match="write ISO 8601 with a zone"):
        parse_time(value)
