"""The cursor of Stripe's events, and the states that show which events change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

STRIPE_RETRIES = timedelta(days=3)
"""For how long Stripe tries to deliver an event: what it gave up says nothing of the present."""


@dataclass(frozen=True)
class ReadDeliveries:
    """How far Stripe had delivered its events to webhooks, when they were read.

    `undelivered`: how many it had not delivered to every endpoint. The instants are the creation times of the newest
    event of each kind; None if there is none.
    """

    undelivered: int = 0
    undelivered_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True)
class StoredCursor:
    """The newest event whose wake-ups were delivered; `event_id` is empty if there is none.

    `adopted_until`: when the newest event that existed before the first run was created. The other fields are those of
    `ReadDeliveries`, over all events that were read.
    """

    event_id: str
    event_created: datetime
    adopted_until: datetime | None
    updated_at: datetime
    undelivered: int
    undelivered_at: datetime | None
    delivered_at: datetime | None

    @property
    def is_silent(self) -> bool:
        """Whether the newest event was not delivered, and none after it."""
        if self.undelivered_at is None:
            return False
        return self.delivered_at is None or self.delivered_at < self.undelivered_at


async def load(db: Database, name: str) -> StoredCursor | None:
    """Return the cursor with this name. None if there is none."""
    async with db.transaction() as connection:
        row = (
            await connection.execute(statement("recovery/event_cursor", "load_cursor"), {"name": name})
        ).one_or_none()
    return None if row is None else record(StoredCursor, row)


async def move(
    db: Database,
    name: str,
    was: str | None,
    event_id: str,
    event_created: datetime,
    adopted_until: datetime | None,
    deliveries: ReadDeliveries = ReadDeliveries(),
) -> bool:
    """Move the cursor forward from the event `was` (None if there is no cursor yet). Returns False if it is elsewhere.

    Moving it to where it is records that there was no new event. `adopted_until` keeps its first value. `deliveries`
    are those of the events in between.
    """
    cursor = {
        "name": name,
        "was": was,
        "event_id": event_id,
        "event_created": event_created,
        "adopted_until": adopted_until,
        **asdict(deliveries),
    }
    async with db.transaction() as connection:
        done = await connection.execute(
            statement("recovery/event_cursor", "start_cursor" if was is None else "move_cursor"), cursor
        )
        return done.rowcount == 1


async def states(db: Database, keys: Sequence[str]) -> dict[str, InvoiceState]:
    """Return the states of those invoices that Postgres knows."""
    if not keys:
        return {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("recovery/event_cursor", "states"), {"keys": list(keys)})
        return {row.key: InvoiceState(row.state) for row in rows}
