"""What is to be brought back after a loss: reports, and what waited in a Temporal that is gone."""

from __future__ import annotations

from storage.database import Database
from storage.queries import statement


async def key_of_report(db: Database, report_id: str) -> str | None:
    """The invoice that has this report; none when no invoice has it."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("recovery", "key_of_report"), {"report_id": report_id})
        return found.scalars().first()


async def reports(db: Database, *, after: str, period: str | None, limit: int) -> list[tuple[str, str]]:
    """(invoice key, report id) of invoices that have one, in the order of their keys, from after `after` on."""
    async with db.transaction(read_only=True) as connection:
        parameters = {"after": after, "period": period, "limit": limit}
        found = await connection.execute(statement("recovery", "reports"), parameters)
        return [(row.key, row.report_id) for row in found]
