"""The cycles that take the place of calendar months, for accounts that are charged on their subscription's invoices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.cycles import Cycle, monthly_cycles
from billing.assessment.assessment import BillableAccount, ClaimScope
from billing.invoice.policy import ChargeOn
from storage.postgres.rows import reader
from storage.postgres.statements import statement


async def with_cycles(
    connection: AsyncConnection, scope: ClaimScope, accounts: Sequence[BillableAccount]
) -> list[BillableAccount]:
    """Return the accounts with their monthly cycles, if they are charged on their subscription's invoices."""
    charged = [
        account.attribution_id
        for account in accounts
        if (account.policy.charge_on or scope.policy.charge_on) is ChargeOn.SUBSCRIPTION
    ]
    if not charged:
        return list(accounts)
    rows = await connection.execute(statement("claims/cycles", "of_accounts"), {"accounts": charged})
    read = reader(Cycle, rows.keys())
    cycles: dict[str, list[Cycle]] = {}
    for row in rows:
        cycles.setdefault(row.attribution_id, []).append(read(row))
    return [replace(each, cycles=monthly_cycles(cycles.get(each.attribution_id, ()))) for each in accounts]
