"""What accounts were billed and have not paid."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class AccountMoney:
    """An account's money in minor units by currency, with accepted edits in Stripe, without issued credits and before
    tax.

    `billed`: its live invoices of a period. `unpaid`: its finalized invoices that are neither paid nor given up.
    `uncollectible`: those that Stripe has given up.
    """

    billed: Mapping[str, int] = field(default_factory=dict)
    unpaid: Mapping[str, int] = field(default_factory=dict)
    uncollectible: Mapping[str, int] = field(default_factory=dict)


NO_MONEY = AccountMoney()


async def money_of(db: Database, accounts: Collection[str], period: str) -> dict[str, AccountMoney]:
    """Return, by attribution id, what these accounts were billed for a period and what they have not paid of any."""
    if not accounts:
        return {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("lookup/accounts", "money"), {"accounts": sorted(accounts), "period": period}
        )
        sums: dict[str, AccountMoney] = {}
        for row in rows:
            known = sums.setdefault(row.attribution_id, AccountMoney())
            for name in ("billed", "unpaid", "uncollectible"):
                if (amount := getattr(row, name)) is not None:
                    getattr(known, name)[row.currency] = amount
        return sums
