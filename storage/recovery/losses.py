"""What a recovery restores after a loss: reports, and the workflows that waited in a lost Temporal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class Waiting:
    """An invoice or a credit note that its own workflow must resume."""

    key: str
    state: str
    attribution_id: str
    billing_period: str


@dataclass(frozen=True)
class Unfinished:
    """Everything that waits according to Postgres. `periods` have a hold, or invoices of a run that has not settled."""

    invoices: list[Waiting]
    credit_notes: list[Waiting]
    subscriptions: list[str]
    periods: list[str]


async def unfinished(db: Database) -> Unfinished:
    """Return everything that waits, in all months."""
    async with db.transaction(read_only=True) as connection:
        open_invoices = await connection.execute(statement("recovery/recovery", "open_invoices"))
        open_credit_notes = await connection.execute(statement("recovery/recovery", "open_credit_notes"))
        subscriptions = await connection.execute(statement("recovery/recovery", "blocked_subscriptions"))
        periods = await connection.execute(statement("recovery/recovery", "unsettled_periods"))
        return Unfinished(
            invoices=[record(Waiting, row) for row in open_invoices],
            credit_notes=[record(Waiting, row) for row in open_credit_notes],
            subscriptions=list(subscriptions.scalars()),
            periods=list(periods.scalars()),
        )


async def oldest_open(db: Database) -> datetime | None:
    """Return when the oldest invoice that is not billed yet was claimed. None if all are billed."""
    async with db.transaction(read_only=True) as connection:
        found: datetime | None = (await connection.execute(statement("recovery/recovery", "oldest_open"))).scalar_one()
        return found


async def rewind_event_cursor(db: Database, name: str) -> bool:
    """Make the next catch-up read all events that Stripe still has. Returns False if no event was ever read.

    The recorded time of adoption stays.
    """
    async with db.transaction() as connection:
        done = await connection.execute(statement("recovery/recovery", "rewind_cursor"), {"name": name})
        return done.rowcount == 1


async def key_of_report(db: Database, report_id: str) -> str | None:
    """Return the key of the invoice with this report. None if no invoice has it."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("recovery/recovery", "key_of_report"), {"report_id": report_id})
        return found.scalars().first()


async def reports(db: Database, *, after: str, period: str | None, limit: int) -> list[tuple[str, str]]:
    """Return (invoice key, report id) of invoices that have a report, ordered by key, after the key `after`."""
    async with db.transaction(read_only=True) as connection:
        parameters = {"after": after, "period": period, "limit": limit}
        found = await connection.execute(statement("recovery/recovery", "reports"), parameters)
        return [(row.key, row.report_id) for row in found]
