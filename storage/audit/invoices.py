"""Check lines against rates and prices, invoices against their lines, and each invoice's key, state and months."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.pricing.rating import RateCard
from storage.audit.conservation import currencies
from storage.audit.parameters import CheckInput, Figures
from storage.postgres.statements import statement


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """Recompute every line in the database, exactly."""
    parameters = given.parameters | given.versions | await currencies(connection) | _card(given.rate_card)
    for name in ("create_card", "create_prices", "usage_lines", "tier_lines", "rates", "totals"):
        await connection.execute(statement("audit/invoices", name), parameters)
    for name in ("two_live_invoices", "wrong_key", "inconsistent_state", "places", "month_credits"):
        await connection.execute(statement("audit/states", name), parameters)
    row = (await connection.execute(statement("audit/invoices", "figures"), parameters)).mappings().one()
    amounts = await connection.execute(statement("audit/invoices", "amounts"), parameters)
    figures: Figures = {name: int(value) for name, value in row.items()}
    for one in amounts:
        figures[f"amount_{one.currency}"] = int(one.amount)
    return figures


def _card(card: RateCard) -> dict[str, Any]:
    """Return the rate card as rows: rates by version and class, prices by version and currency."""
    rates = [
        (version.effective_from, name, rate)
        for version in card.versions
        for name, rate in sorted(version.credits_per_minute.items())
    ]
    prices = [
        (version.effective_from, currency, price, True)
        for version in card.versions
        for currency, price in sorted(version.price_per_credit.items())
    ] + [
        (version.effective_from, currency, tier.price, False)
        for version in card.versions
        for currency, tiers in sorted(version.tiers.items())
        for tier in tiers
    ]
    return {
        "rates_from": [since for since, _, _ in rates],
        "classes": [name for _, name, _ in rates],
        "rates": [rate for _, _, rate in rates],
        "prices_from": [since for since, _, _, _ in prices],
        "price_currencies": [currency for _, currency, _, _ in prices],
        "prices": [price for _, _, price, _ in prices],
        "bases": [base for _, _, _, base in prices],
    }
