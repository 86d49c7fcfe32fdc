"""Figures and times as a statement shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from starter.statements import words

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("duration_us", "seconds", "shown"),
    [
        (0, False, "0:00"),
        (8 * HOUR + HOUR // 2, False, "8:30"),
        (HOUR - 1, False, "1:00"),
        (HOUR - 30_000_001, False, "0:59"),
        (1234 * HOUR, False, "1,234:00"),
        (HOUR + 1_500_000, True, "1:00:02"),
    ],
)
def test_lengths_of_time_are_rounded_half_up(duration_us: int, seconds: bool, shown: str) -> None:
    assert words.length(duration_us, seconds=seconds) == shown


@pytest.mark.parametrize(
    ("minor", "currency", "shown", "padding"),
    [
        (123456, "usd", "1,234.56", "0000"),
        (-5, "usd", "−0.05", "0000"),
        (1200, "jpy", "1,200", ".0000"),
        (375600, "isk", "3,756", ".000000"),
        (1250, "kwd", "1.250", "0000"),
    ],
)
def test_amounts_have_their_currencys_decimals_and_align_with_items(
    minor: int, currency: str, shown: str, padding: str
) -> None:
    assert words.money(minor, currency) == shown
    assert words.padding(minor, currency) == padding
    item = words.share(Decimal(0), currency)
    assert len((shown + padding).rpartition(".")[2]) == len(item.rpartition(".")[2])


def test_a_zero_has_no_sign_and_minutes_no_needless_zeros() -> None:
    assert words.credits_of(Decimal("-0.0000001")) == "0.000000"
    assert words.credits_of(Decimal("-0.000001")) == "−0.000001"
    assert words.minutes(Decimal(510 * 60_000_000)) == "510"
    assert words.minutes(Decimal(2_145_520_000_000)) == "35,758.666667"


def test_times_are_in_the_billing_time_zone() -> None:
    start = datetime(2022, 4, 30, 22, tzinfo=UTC)
    assert words.instant(start, ZoneInfo("Europe/Berlin")) == "2022-05-01 00:00"
    assert words.day(start, ZoneInfo("Europe/Berlin")) == "1 May 2022"
