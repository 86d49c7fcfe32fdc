"""What is to be fetched before a bill, as the billing worker sees it: it knows the sources by their rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class Due:
    """The lag of each source in use by its name, and whether anything that the API accepted waits to be stored."""

    lags: dict[str, timedelta]
    pending: bool


async def load_due(db: Database) -> Due:
    """Return what is to be fetched."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("arrivals/fetching", "due"))
        pending = await connection.execute(statement("arrivals/fetching", "pending"))
        return Due({row.name: row.lag for row in rows}, pending.scalar_one())
