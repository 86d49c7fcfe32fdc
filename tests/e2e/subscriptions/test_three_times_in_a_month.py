"""Within May, a team subscribes, uses, cancels and returns, three times."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from tests.support.system import System, at
from tests.support.until import until

pytestmark = pytest.mark.waits

TEAM = "team:seed"
# Each subscription: [created, canceled); the last still exists at the month's end.
SUBSCRIPTIONS = [("2022-05-03T00:00:00", "2022-05-08T12:00:00"), ("2022-05-10T06:30:00", "2022-05-15T00:00:01")]
LAST = "2022-05-20T00:00:00"
# (id, started, stopped): inside, across a cancellation, across a gap, before bill_after, and past the month.
USAGE = [
    ("seed-before", "2022-05-01T00:00", "2022-05-03T12:00"),
    ("seed-first", "2022-05-05T00:00:00.000001", "2022-05-07T00:00"),
    ("seed-across-cancel", "2022-05-08T00:00", "2022-05-09T00:00"),
    ("seed-gap", "2022-05-09T01:00", "2022-05-09T05:00"),
    ("seed-second", "2022-05-10T00:00", "2022-05-14T00:00:00.333333"),
    ("seed-across-return", "2022-05-14T12:00", "2022-05-22T12:00"),
    ("seed-past-the-end", "2022-05-30T00:00", "2022-06-02T00:00"),
]
BILL_AFTER = "2022-05-03T06:00"


def reference_us(start: str, end: str) -> int:
    """Return the microseconds of usage in [start, end), one interval after the other."""
    low, high = max(at(start), at(BILL_AFTER)), at(end)
    total = 0
    for _, began, stopped in USAGE:
        overlap = min(at(stopped), high) - max(at(began), low)
        total += max(0, round(overlap.total_seconds() * 1_000_000))
    return total


def reference_cents(duration_us: int) -> int:
    """Return the amount by the pricing formula in exact fractions; no case here is a tie."""
    credits = round(Fraction(duration_us, 60_000_000) * Fraction(Decimal("0.1666666667")) * 10**6)
    return int(Fraction(credits, 10**6) * Fraction(Decimal("3.6")) + Fraction(1, 2))


async def move_clock(system: System, to: str) -> None:
    await system.admin("clock", {"now": at(to).isoformat(), "frozen": True})


async def subscribe(system: System, customer: str) -> Any:
    return await system.stripe.v1.subscriptions.create_async(
        {
            "customer": customer,
            "items": [
                {
                    "price_data": {
                        "currency": "usd",
                        "product": (await system.stripe.v1.products.create_async({"name": "Workspaces"})).id,
                        "unit_amount": 900,
                        "recurring": {"interval": "month"},
                    }
                }
            ],
        }
    )


async def windows(system: System) -> list[tuple[datetime, datetime | None]]:
    from sqlalchemy import text

    async with system.db.transaction() as connection:
        rows = await connection.execute(
            text("SELECT lower(during), upper(during) FROM subscription WHERE attribution_id = :id ORDER BY 1"),
            {"id": TEAM},
        )
        return [(row[0], row[1]) for row in rows]


@pytest.mark.history("cancelled")
async def test_three_subscriptions_within_a_month_are_charged_once_each(system: System) -> None:
    await move_clock(system, "2022-05-01T00:00:00")
    customer = (await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": TEAM}})).id
    await system.add_account(TEAM, customer=customer, bill_after=at(BILL_AFTER))
    for id, began, stopped in USAGE:
        await system.add_instance(id, TEAM, began, stopped)

    for number, (created, cancelled) in enumerate(SUBSCRIPTIONS, 1):
        await move_clock(system, created)
        subscription = await subscribe(system, customer)

        async def opened(wanted: int = number) -> bool:
            return len(await windows(system)) == wanted

        await until(opened)
        await move_clock(system, cancelled)
        await system.stripe.v1.subscriptions.cancel_async(subscription.id)
        await system.until_settled(number)
    await move_clock(system, LAST)
    await subscribe(system, customer)

    async def three_windows() -> bool:
        return len(await windows(system)) == 3

    await until(three_windows)
    await move_clock(system, "2022-06-01T06:00:00")
    await system.run_period("2022-05")

    assert await windows(system) == [
        *((at(created), at(cancelled)) for created, cancelled in SUBSCRIPTIONS),
        (at(LAST), None),
    ]
    await _is_charged_once(system)


async def _is_charged_once(system: System) -> None:
    """Check that each subscription has its own invoice, right to the microsecond and the cent."""
    made = {(i.reason, i.cutoff): i for i in await system.invoices()}
    spans = [(c, e, InvoiceReason.CANCELLATION) for c, e in SUBSCRIPTIONS]
    spans.append((LAST, "2022-06-01T00:00", InvoiceReason.PERIOD))
    assert len(made) == len(spans)
    for start, end, reason in spans:
        invoice = made[reason, at(end)]
        wanted_us = reference_us(start, end)
        assert sum(line.rated.duration_us for line in invoice.lines) == wanted_us
        assert invoice.amount == reference_cents(wanted_us)
        assert invoice.state is InvoiceState.BILLED
    assert made[InvoiceReason.PERIOD, at("2022-06-01T00:00")].amount > 0
