"""Signs of a source whose query returns all running instances: whatever a whole read returned ran when it began.

A sign is kept at the instance, the latest alone, and is no fact: rows without an update time would be refused for an
instance that has facts.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.statements import statement
from storage.usage.instances import begin_batch


async def begin_snapshot(connection: AsyncConnection) -> None:
    """Begin to note what a read returns, in a temporary table of the connection."""
    async with connection.begin():
        # A read that failed can have left its table to the connection.
        await connection.execute(statement("arrivals/snapshots", "drop"))
        await connection.execute(statement("arrivals/snapshots", "create"))


async def note_seen(connection: AsyncConnection, ids: Collection[str]) -> None:
    """Note instances that the read returned, within the caller's transaction."""
    await connection.execute(statement("arrivals/snapshots", "note"), {"ids": sorted(ids)})


async def sign_seen(connection: AsyncConnection, source: str, at: datetime) -> None:
    """Record that the noted instances ran at this instant, within the transaction that records the whole read."""
    await begin_batch(connection)
    await connection.execute(statement("arrivals/snapshots", "sign"), {"source": source, "at": at})
    await connection.execute(statement("arrivals/snapshots", "drop"))
