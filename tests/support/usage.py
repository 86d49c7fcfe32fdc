"""A day of usage: what most tests bill."""

from __future__ import annotations

from typing import Any

from billing.invoice.policy import AccountPolicy
from storage.accounts import policies
from tests.support.months import MAY
from tests.support.system import System

DAY_CENTS = 864
"""24 hours of the default class."""


async def one_day(
    system: System, team: str, customer: str | None = None, *, currency: str = "usd", **policy: Any
) -> str:
    """Add an account with a day of usage in May and its own policy. Returns the key of its future invoice."""
    await system.add_account(team, ("2022-05-01", None), customer=customer, currency=currency)
    if policy:
        await policies.write_policy(system.db, team, AccountPolicy(**policy))
    await system.add_instance(f"{team.removeprefix('team:')}-1", team, "2022-05-03T10:00", "2022-05-04T10:00")
    return f"{MAY}/{team}/period"


async def one_day_known(system: System, team: str, card: str | None = None) -> str:
    """Add a day of usage of an account whose Stripe customer is known. Returns the key of its future invoice."""
    paying = {"invoice_settings": {"default_payment_method": card}} if card else {}
    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": team}, **paying})
    return await one_day(system, team, customer.id)


async def stripe_ids(system: System, key: str) -> list[str]:
    """Return the ids of the Stripe invoices with this key."""
    return [i["id"] for i in await system.stripe_invoices() if i["metadata"].get("perdure_invoice") == key]
