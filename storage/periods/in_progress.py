"""The invoices of a period that must get on by themselves: they wait neither for a person nor for a time."""

from __future__ import annotations

from storage.postgres.database import Database
from storage.postgres.statements import statement


async def invoices_in_progress(db: Database, period: str, most: int) -> list[str]:
    """Return the keys of up to `most` such invoices that have not changed for some seconds, longest unchanged first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.scalars(
            statement("periods/in_progress", "invoices_in_progress"), {"period": period, "most": most}
        )
        return list(found)
