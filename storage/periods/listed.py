"""All billing periods with their totals and states, for a list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class ListedPeriod:
    """A period that has invoices, has been settled, or is held.

    `totals`: of its invoices that are not voided or deleted, with accepted edits in Stripe, in minor units by
    currency. `settled_at`: when a run of the whole period last ended. `held`: why it waits for an approval, None if it
    does not.
    """

    period: str
    invoices: int
    open: int
    blocked: int
    totals: dict[str, int]
    settled_at: datetime | None
    held: str | None


async def list_periods(db: Database) -> list[ListedPeriod]:
    """Return all periods, the newest first."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("periods/listed", "all"))
        return [record(ListedPeriod, row, totals=json.loads(row.totals)) for row in rows]
