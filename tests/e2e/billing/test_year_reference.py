"""The reference of the year itself, by figures that a person can check in their head."""

from __future__ import annotations

import pytest

from tests.e2e.billing.year_reference import Year

RATES = [("2022-01-01", {"default": "1"}, {"usd": "0.01", "eur": "0.02"})]
"""A cent (two in EUR) for each minute."""
HOUR = 3600


@pytest.fixture
def year() -> Year:
    return Year(RATES, minimum=50)


def test_usage_in_a_trial_is_free_and_the_rest_of_it_is_paid(year: Year) -> None:
    year.subscribe("2023-02-01", trial_until="2023-02-10")
    year.runs("within", "2023-02-03T10:00", "2023-02-03T11:00")
    year.runs("across", "2023-02-09T22:00", "2023-02-10T03:00")
    assert year.settle("the trial's end", "2023-02-10") == 0
    assert year.settle("the first cycle", "2023-03-10") == 180
    assert year.free("trial") == {"within": HOUR, "across": 2 * HOUR}


def test_a_trial_that_is_cancelled_is_never_paid(year: Year) -> None:
    year.subscribe("2023-02-01", trial_until="2023-02-10")
    year.cancel("2023-02-05")
    year.runs("on", "2023-02-04T22:00", "2023-02-11")
    assert year.settle("cancellation", "2023-02-05") == year.settle("later", "2023-03-01") == 0
    assert year.free("trial") == {"on": 2 * HOUR}


def test_a_service_that_is_free_for_some_time_is_paid_before_and_after_it(year: Year) -> None:
    year.subscribe("2023-02-10")
    year.give("2023-02-15", "2023-02-20")
    year.runs("through", "2023-02-14T23:00", "2023-02-20T02:00")
    assert year.settle("cycle", "2023-03-10") == 60 + 120
    assert year.free("collection_paused") == {"through": 5 * 24 * HOUR}


def test_a_cycle_bills_up_to_its_end_and_leaves_the_rest_to_the_next(year: Year) -> None:
    year.subscribe("2023-02-10")
    year.runs("across", "2023-03-09T23:00", "2023-03-10T02:00")
    assert year.settle("first", "2023-03-10", fee=900) == 60
    assert year.settle("second", "2023-04-10", fee=900) == 120
    assert (year.total(), year.fees()) == (180, 1800)


def test_each_currency_bills_its_own_windows(year: Year) -> None:
    year.subscribe("2023-02-10")
    year.cancel("2023-04-20")
    year.subscribe("2023-05-01", "eur")
    year.runs("late", "2023-04-19", "2023-04-19T01:00")
    year.runs("across", "2023-04-30T23:00", "2023-05-01T01:00")
    assert year.settle("eur", "2023-06-01", "eur") == 120
    assert year.settle("usd", "2023-06-01") == 60
    assert (year.total("eur"), year.total()) == (120, 60)


def test_a_bill_that_waits_has_its_usage_but_charges_nobody(year: Year) -> None:
    year.subscribe("2023-02-10")
    year.runs("usage", "2023-02-11", "2023-02-11T01:00")
    assert year.settle("held", "2023-03-10", fee=900) == 60
    year.bills["held"].waiting = True
    assert year.settle("next", "2023-04-10") == year.total() == year.fees() == 0
    year.bills["held"].waiting = False
    assert (year.total(), year.fees()) == (60, 900)


def test_a_refund_by_hand_changes_no_bill_but_a_credit_does(year: Year) -> None:
    year.subscribe("2023-02-10")
    year.runs("usage", "2023-02-11", "2023-02-11T01:00")
    year.settle("paid", "2023-03-10")
    year.bills["paid"].refunded += 40
    assert year.total() == 60
    year.credit(15)
    assert year.total() == 45
