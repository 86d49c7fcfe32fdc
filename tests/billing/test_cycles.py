"""The places in which usage counts, by cycle or by month, compared with a plain reference; lengths of cycles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.accounts.cycles import Cycle, monthly_cycles
from billing.assessment.assessment import BillableAccount, ClaimScope
from billing.assessment.slices import usage_parameters
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy
from billing.pricing.rate_card import parse_rate_card

START, CUTOFF = datetime(2022, 1, 1, tzinfo=UTC), datetime(2022, 8, 3, 7, tzinfo=UTC)
CARD = parse_rate_card(
    {
        "version": [
            {
                "effective_from": start,
                "credits_per_minute": {"default": "1"},
                "price_per_credit": {"usd": "0.01"},
                "included_credits": "100",
            }
            for start in (START, datetime(2022, 4, 10, 12, tzinfo=UTC))
        ]
    }
)
ZONES = [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles")]


def day(number: float) -> datetime:
    """Return an instant of 2022: day 0 is the start of January 1."""
    return START + timedelta(days=number)


def cycle(start: float, days: float) -> Cycle:
    return Cycle(day(start), day(start + days))


@pytest.mark.parametrize(
    ("days", "monthly", "long"),
    [
        (7, False, False),
        (14, False, False),
        (26.9, False, False),
        (27, True, False),
        (28, True, False),
        (31, True, False),
        (38, True, False),
        (38.001, False, True),
        (92, False, True),
        (365, False, True),
    ],
)
def test_a_cycle_of_27_to_38_days_is_monthly_and_above_it_is_long(days: float, monthly: bool, long: bool) -> None:
    assert (cycle(3, days).is_monthly, cycle(3, days).is_long) == (monthly, long)


def test_a_cycle_is_named_by_its_first_day_in_the_billing_zone() -> None:
    assert [cycle(129.25, 31).name(zone) for zone in ZONES] == ["2022-05-10", "2022-05-10", "2022-05-09"]


def test_of_two_cycles_at_once_the_later_one_counts() -> None:
    found = monthly_cycles([cycle(50, 30), cycle(0, 30), cycle(20, 30), cycle(50, 31), cycle(90, 7), cycle(100, 90)])
    assert found == (cycle(0, 20), cycle(20, 30), cycle(50, 31))


def parts(cycles: Sequence[Cycle], zone: tzinfo) -> list[tuple[datetime, datetime, datetime, str]]:
    """Return the spans of the account's time: start, end, rate version and place."""
    scope = ClaimScope("2022-07", InvoiceReason.PERIOD, "", CUTOFF, day(181), None, zone=zone)
    policy = AccountPolicy(included_credits=Decimal(5))
    account = BillableAccount("team:a", "usd", "usd", None, "", 1, policy, cycles=monthly_cycles(cycles))
    other = BillableAccount("team:b", "usd", "usd", None, "", 1, policy)
    found = usage_parameters(scope, CARD, [account, other])
    names = ("slices_of", "slices_from", "slices_to", "rates_from", "months")
    rows = list(zip(*(found[name] for name in names), strict=True))
    own = [tuple(row[1:]) for row in rows if row[0] == "team:a"]
    shared = [tuple(row[1:]) for row in rows if row[0] == ""]
    assert {row[0] for row in rows} <= {"", "team:a"}
    assert all(len(place) == len("2022-05") for *_, place in shared)
    return own or shared


def place_of(instant: datetime, cycles: Sequence[Cycle], zone: tzinfo) -> str:
    """The reference: the latest monthly cycle that contains the instant, else its month."""
    around = [each for each in cycles if each.start <= instant < each.end]
    around = [each for each in around if 27 <= (each.end - each.start) / timedelta(days=1) <= 38]
    if around:
        return max(around, key=lambda each: each.start).start.astimezone(zone).strftime("%Y-%m-%d")
    return instant.astimezone(zone).strftime("%Y-%m")


_LENGTHS = st.sampled_from([7.0, 14.0, 26.5, 27.0, 28.0, 30.0, 31.0, 38.0, 38.5, 92.0])
_GAPS = st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0, 40.0])


@given(
    first=st.integers(-40 * 24, 150 * 24),
    steps=st.lists(st.tuples(_LENGTHS, _GAPS), max_size=6),
    zone=st.sampled_from(ZONES),
    asked=st.lists(st.integers(0, (CUTOFF - START) // timedelta(minutes=1) - 1), min_size=20, max_size=20),
)
def test_every_instant_counts_in_the_place_that_a_plain_reference_finds(
    first: int, steps: list[tuple[float, float]], zone: tzinfo, asked: list[int]
) -> None:
    cycles, start = [], first / 24
    for length, gap in steps:
        cycles.append(cycle(start, length))
        start += length + gap
    found = parts(cycles, zone)
    assert (found[0][0], found[-1][1]) == (START, CUTOFF)
    assert all(one[1] == two[0] for one, two in pairwise(found))
    edges = [instant for span in found for instant in (span[0], span[1] - timedelta(microseconds=1))]
    for instant in [*edges, *(START + timedelta(minutes=minute) for minute in asked)]:
        (span,) = [each for each in found if each[0] <= instant < each[1]]
        version = CARD.versions[instant >= CARD.versions[1].effective_from].effective_from
        assert span[2:] == (version, place_of(instant, cycles, zone)), instant
