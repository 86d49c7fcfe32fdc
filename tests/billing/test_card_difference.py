from __future__ import annotations

from typing import Any

import pytest

from billing.pricing.card_difference import first_difference
from tests.storage.usage import card, graduated


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"credits_per_minute": {"default": "1"}}, "credits_per_minute.xl is not set instead of 2"),
        ({"price_per_credit": {"usd": "0.02"}}, "price_per_credit.jpy is not set instead of 1"),
        ({"minimum_charge": {"usd": "0.6"}}, "minimum_charge.usd is 0.6 instead of 0.50"),
        ({"included_credits": "5"}, "included_credits is 5 instead of not set"),
    ],
)
def test_the_first_difference_of_a_version(changes: dict[str, Any], words: str) -> None:
    found = first_difference(card(**changes).describe(), card().describe())
    assert found.removeprefix("from 2022-01-01T00:00:00+00:00, ") == words


def test_a_version_that_one_card_lacks() -> None:
    one = card().describe()
    two = [*one, *card(effective_from=graduated().versions[0].effective_from.replace(year=2023)).describe()]
    assert first_difference(two, one).startswith("only the other card has a version from 2023-")
    assert first_difference(one, two).startswith("the other card has no version from 2023-")
