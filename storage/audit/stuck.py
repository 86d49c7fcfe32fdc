"""Check that nothing waits longer than the configured age."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.cycles import LONGEST_MONTH
from billing.periods import BillingPeriod
from storage.audit.parameters import CheckInput, Figures
from storage.postgres.statements import statement


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """Check everything that records since when it waits, then the usage that a run should have billed."""
    before = {
        "before": given.now - given.stuck_after,
        "charge_on": str(given.policy.charge_on),
        "longest_month": LONGEST_MONTH,
    }
    parameters = given.parameters | before
    for name in ("invoices", "credit_notes", "accounts", "disputes", "subscriptions", "holds", "events", "sources"):
        await connection.execute(statement("audit/stuck", name), parameters)
    first = await connection.execute(statement("audit/conservation", "first_chargeable"), parameters)
    months = _ended_months(given, first.scalar_one())
    for name in ("create_usage", "clip_usage", "create_unbilled"):
        await connection.execute(statement("audit/conservation", name), parameters | months)
    for name in ("payers", "unbilled", "not_run"):
        await connection.execute(statement("audit/stuck", name), parameters)
    row = (await connection.execute(statement("audit/stuck", "figures"), parameters)).mappings().one()
    return {name: int(value) for name, value in row.items()}


def _ended_months(given: CheckInput, first: datetime | None) -> dict[str, Any]:
    """Return the months of the scope that have ended, starting with the first that can be billed."""
    last = BillingPeriod.last_ended(given.now, given.zone)
    month = last.next() if first is None else BillingPeriod.containing(first, given.zone)
    found = []
    while month <= last:
        if given.scope.period in (None, str(month)):
            found.append((str(month), month.start(given.zone), month.end(given.zone)))
        month = month.next()
    return {
        "months": [name for name, _, _ in found],
        "months_from": [since for _, since, _ in found],
        "months_to": [until for _, _, until in found],
    }
