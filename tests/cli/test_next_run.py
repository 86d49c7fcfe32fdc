"""The run that `explain` names for usage that is on no invoice."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from starter.words.next_run import next_run, sentence
from storage.usage.standing import AccountStanding, CurrencyRuns, SubscriptionWindow

START, END = datetime(2022, 5, 4, tzinfo=UTC), datetime(2022, 5, 5, tzinfo=UTC)

MOVED = datetime(2022, 5, 10, tzinfo=UTC)
DOLLARS = SubscriptionWindow(datetime(2022, 4, 1, tzinfo=UTC), MOVED, None, "paid", "usd")
EUROS = SubscriptionWindow(MOVED, None, "sub_1", "paid", "eur")


@pytest.mark.parametrize(
    ("settled", "invoiced", "expected"),
    [
        (None, None, "The run of 2022-05 bills it."),
        ("2022-04", "2022-04", "The run of 2022-05 bills it."),
        (None, "2022-05", "The run of 2022-06 bills it."),
        ("2022-05", "2022-05", "The run of 2022-06 bills it."),
        ("2022-05", "2022-04", "The run of 2022-06 bills it, or that of 2022-05 if it is run again."),
        ("2022-12", None, "The run of 2023-01 bills it, or that of 2022-12 if it is run again."),
        ("2022-06", "2022-07", "The run of 2022-08 bills it."),
    ],
)
def test_the_first_run_that_can_bill_it_is_named(settled: str | None, invoiced: str | None, expected: str) -> None:
    standing = AccountStanding((DOLLARS,), billed_through=settled, runs=(CurrencyRuns("usd", invoiced),))
    assert sentence(next_run(standing, START, UTC), END) == expected


def test_usage_beyond_the_month_is_billed_in_part() -> None:
    run = next_run(AccountStanding(), START, UTC)
    assert sentence(run, datetime(2022, 6, 1, tzinfo=UTC)) == "The run of 2022-05 bills it."
    july = datetime(2022, 7, 1, tzinfo=UTC)
    assert sentence(run, july) == "The runs from 2022-05 on bill it."


def test_months_are_those_of_the_billing_time_zone() -> None:
    run = next_run(AccountStanding(), datetime(2022, 5, 1, 3, tzinfo=UTC), ZoneInfo("America/New_York"))
    assert run is not None
    assert str(run.period) == "2022-04"


def test_each_currency_of_an_account_has_its_own_run() -> None:
    standing = AccountStanding(
        (DOLLARS, EUROS),
        billed_through="2022-04",
        runs=(CurrencyRuns("eur", by_subscription=True), CurrencyRuns("usd", "2022-05")),
    )
    assert sentence(next_run(standing, START, UTC), END) == "The run of 2022-06 bills it."
    assert sentence(next_run(standing, MOVED, UTC), END) == "The subscription's next invoice bills it."
    assert sentence(next_run(standing, START, UTC, "eur"), END) == "The subscription's next invoice bills it."
