"""Conflicts: usage to claim that another account's invoice has claimed already."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.interval import ClosedInterval
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class Conflict(ClosedInterval):
    """Usage in `page_usage` that another invoice has claimed already."""

    key: str
    instance_id: str


async def find_conflict(connection: AsyncConnection) -> Conflict | None:
    """Return the first usage in `page_usage` that is claimed already. None if there is none."""
    row = (await connection.execute(statement("claims/conflicts", "conflict"))).one_or_none()
    return None if row is None else record(Conflict, row)
