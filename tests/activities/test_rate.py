"""How many invoices a second are created in Stripe, by the settings and the key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from activities.stripe.account.rate import Pace, invoices_per_second, outdated_rate
from settings import Settings

EMULATOR = {"stripe_api_base": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("key", "given", "rate"),
    [
        ("sk_live_1", {}, 25),
        ("rk_live_1", {}, 25),
        ("sk_test_1", {}, 6),
        ("rk_test_1", {}, 6),
        ("sk_test_1", EMULATOR, 25),
        ("another form", {}, 25),
        ("sk_live_1", {"stripe_activities_per_second": 75.0}, 25),
        ("sk_test_1", {"stripe_activities_per_second": 18.0}, 6),
        ("sk_test_1", {"stripe_invoices_per_second": 100.0}, 100),
        ("sk_live_1", {"stripe_invoices_per_second": 10.0, "stripe_activities_per_second": 75.0}, 10),
    ],
)
def test_the_rate(key: str, given: dict[str, Any], rate: float) -> None:
    assert invoices_per_second(Settings(stripe_api_key=SecretStr(key), **given)) == rate


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        ({"stripe_invoices_per_second": 25.0}, None),
        (
            {"stripe_activities_per_second": 75.0},
            "STRIPE_ACTIVITIES_PER_SECOND is replaced: write STRIPE_INVOICES_PER_SECOND=25, a third of it",
        ),
        (
            {"stripe_activities_per_second": 75.0, "stripe_invoices_per_second": 25.0},
            "STRIPE_ACTIVITIES_PER_SECOND has no effect next to STRIPE_INVOICES_PER_SECOND: remove it",
        ),
    ],
)
def test_the_setting_that_was_replaced_is_named(given: dict[str, Any], said: str | None) -> None:
    assert outdated_rate(Settings(**given)) == said


async def test_turns_are_a_gap_apart_however_many_come_at_once() -> None:
    clock, pace = asyncio.get_running_loop().time, Pace(50)
    began: list[float] = []

    async def begin() -> None:
        await pace.turn()
        began.append(clock())

    first = clock()
    await asyncio.gather(*(begin() for _ in range(10)))
    assert all(at - first > number * 0.02 - 0.005 for number, at in enumerate(sorted(began)))
