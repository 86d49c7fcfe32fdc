"""Subscriptions that create invoices, on a frozen clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.stripe_emulator.conftest import EmulatorProcess

HOUR, DAY = 3600, 86400


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


async def clock(emulator: EmulatorProcess, instant: str) -> None:
    await emulator.admin("POST", "clock", {"now": instant, "frozen": True})


async def price(v1: Any, amount: int | str = 1000, **recurring: Any) -> str:
    made = await v1.prices.create_async(
        {
            "currency": "usd",
            "unit_amount_decimal": str(amount),
            "product_data": {"name": "Plan"},
            "recurring": {"interval": "month", **recurring},
        }
    )
    return str(made.id)


async def payer(emulator: EmulatorProcess) -> str:
    owner = await emulator.customer(invoice_settings={"default_payment_method": "pm_card_visa"})
    return str(owner.id)


async def invoices(v1: Any, subscription: str) -> list[Any]:
    """Return a subscription's invoices, oldest first."""
    return list((await v1.invoices.list_async({"subscription": subscription, "limit": 100})).data)[::-1]
