"""What sources reported and was refused: each until its row arrives in a form that is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

_LONGEST_REASON = 500


@dataclass(frozen=True)
class Refusal:
    """Why a row was refused. `subject`: its instance, or its place if it names none; `field`: the column."""

    subject: str
    field: str
    reason: str
    line: int

    def __str__(self) -> str:
        return f"{self.subject}: {self.field}: {self.reason}"


@dataclass(frozen=True)
class WaitingFault:
    """A refusal that no later row has removed."""

    subject: str
    field: str
    reason: str
    first_seen_at: datetime
    last_seen_at: datetime


async def keep_faults(connection: AsyncConnection, source: str, refusals: Sequence[Refusal]) -> None:
    """Keep the refusals; of one subject the last counts."""
    last = {refusal.subject: refusal for refusal in refusals}
    if last:
        await connection.execute(
            statement("arrivals/faults", "keep"),
            {
                "source": source,
                "subjects": list(last),
                "fields": [refusal.field for refusal in last.values()],
                "reasons": [refusal.reason[:_LONGEST_REASON] for refusal in last.values()],
            },
        )


async def remove_faults(connection: AsyncConnection, source: str, subjects: Collection[str]) -> None:
    """Remove the faults of what was taken."""
    if subjects:
        given = {"source": source, "subjects": list(subjects)}
        await connection.execute(statement("arrivals/faults", "remove"), given)


async def remove_staged_faults(connection: AsyncConnection, source: str, began_at: datetime) -> None:
    """Remove the faults, from before this instant, of the instances that are staged."""
    given = {"source": source, "began_at": began_at}
    await connection.execute(statement("arrivals/faults", "remove_staged"), given)


async def remove_unseen_faults(connection: AsyncConnection, source: str, began_at: datetime, prefix: str = "") -> None:
    """Remove the faults that nobody has seen since this instant. `prefix`: only of subjects that begin with it."""
    given = {"source": source, "began_at": began_at, "prefix": prefix}
    await connection.execute(statement("arrivals/faults", "remove_unseen"), given)


async def waiting_faults(db: Database, source: str, most: int) -> AsyncIterator[WaitingFault]:
    """Yield what waits for a better row, the newest first."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("arrivals/faults", "all"), {"source": source, "most": most})
        for row in rows:
            yield record(WaitingFault, row)
