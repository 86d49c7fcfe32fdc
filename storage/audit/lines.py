"""Check that the claims of each invoice line add up to its duration, and that their invoice still holds them.

And that the days of settled invoices are those of their claims and lines, and the claims of corrected invoices those
of their bills as corrected.
"""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import InputError
from billing.periods import BillingPeriod
from storage.audit.parameters import CheckInput, Figures
from storage.postgres.statements import statement


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """Sum the claims by line once, then compare the sums with lines, invoices and released claims."""
    parameters = given.parameters | await _periods(connection, given) | given.versions
    await connection.execute(statement("audit/lines", "create_sums"), parameters)
    await connection.execute(statement("audit/lines", "index_sums"))
    findings = ("lines", "claims_without_line", "claims_without_invoice", "claims_of_dead_invoice", "released", "rated")
    for name in findings:
        await connection.execute(statement("audit/lines", name), parameters)
    for name in ("create_days", "missing", "claims", "lines", "unsettled", "sums"):
        await connection.execute(statement("audit/days", name), parameters)
    await connection.execute(statement("audit/corrections", "claims"), parameters)
    row = (await connection.execute(statement("audit/lines", "figures"), parameters)).mappings().one()
    return {name: int(value) for name, value in row.items()}


async def _periods(connection: AsyncConnection, given: CheckInput) -> dict[str, Any]:
    """Return when the billing periods of all invoices start. Malformed periods are left out."""
    starts = {}
    for name in (await connection.execute(statement("audit/lines", "periods"))).scalars():
        with contextlib.suppress(InputError):
            starts[name] = BillingPeriod.parse(name).start(given.zone)
    return {"periods": list(starts), "starts": list(starts.values())}
