"""How far Stripe's events were read, and which of them say nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class StoredCursor:
    """The newest event whose wake-ups were delivered; `event_id` empty: none so far.

    `adopted_until`: when the newest event was made that there was before the first run.
    """

    event_id: str
    event_created: datetime
    adopted_until: datetime | None
    updated_at: datetime


async def load(db: Database, name: str) -> StoredCursor | None:
    """The cursor of this name, if there is one."""
    async with db.transaction() as connection:
        row = (
            await connection.execute(statement("recovery/event_cursor", "load_cursor"), {"name": name})
        ).one_or_none()
    return None if row is None else record(StoredCursor, row)


async def move(
    db: Database, name: str, was: str | None, event_id: str, event_created: datetime, adopted_until: datetime | None
) -> bool:
    """Move the cursor from the event `was` (none: there is no cursor yet) on; False when it was not there.

    To move it to where it is says that there was nothing new. `adopted_until` is kept as it was at first.
    """
    cursor = {
        "name": name,
        "was": was,
        "event_id": event_id,
        "event_created": event_created,
        "adopted_until": adopted_until,
    }
    async with db.transaction() as connection:
        done = await connection.execute(
            statement("recovery/event_cursor", "start_cursor" if was is None else "move_cursor"), cursor
        )
        return done.rowcount == 1


async def states(db: Database, keys: Sequence[str]) -> dict[str, InvoiceState]:
    """The states of those invoices that Postgres knows."""
    if not keys:
        return {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("recovery/event_cursor", "states"), {"keys": list(keys)})
        return {row.key: InvoiceState(row.state) for row in rows}
