"""Check lines against rates and prices, invoices against their lines, and each invoice's key, state and months.

Bills as corrected are checked like invoices, and compared with what was credited and charged.
"""

from __future__ import annotations

import json

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.conservation import currencies
from storage.audit.parameters import CheckInput, Figures, count
from storage.postgres.statements import statement


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """Recompute every line in the database, exactly."""
    parameters = given.parameters | given.versions | await currencies(connection)
    parameters["content"] = json.dumps(given.rate_card.describe())
    for name in ("create_versions", "create_rates", "create_prices", "usage_lines", "tier_lines", "rates", "totals"):
        await connection.execute(statement("audit/invoices", name), parameters)
    for name in ("two_live_invoices", "wrong_key", "inconsistent_state", "places", "month_credits"):
        await connection.execute(statement("audit/states", name), parameters)
    for name in ("amounts", "adjustments"):
        await connection.execute(statement("audit/corrections", name), parameters)
    row = (await connection.execute(statement("audit/invoices", "figures"), parameters)).mappings().one()
    amounts = await connection.execute(statement("audit/invoices", "amounts"), parameters)
    figures: Figures = {name: int(value) for name, value in row.items()}
    if corrections := await count(connection, statement("audit/corrections", "figures"), parameters):
        figures["corrections"] = corrections
    for one in amounts:
        figures[f"amount_{one.currency}"] = int(one.amount)
    return figures
