"""What is to be brought back after a loss: reports, and what waited in a Temporal that is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class Waiting:
    """Something that a workflow of its own is to go on with."""

    key: str
    state: str
    attribution_id: str
    billing_period: str


@dataclass(frozen=True)
class Unfinished:
    """All that waits, as Postgres has it. `periods` have invoices, or a hold, of a run that is not over."""

    invoices: list[Waiting]
    credit_notes: list[Waiting]
    subscriptions: list[str]
    periods: list[str]


async def unfinished(db: Database) -> Unfinished:
    """What waits, of all months."""
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
    """When the oldest invoice was claimed that is not billed yet."""
    async with db.transaction(read_only=True) as connection:
        found: datetime | None = (await connection.execute(statement("recovery/recovery", "oldest_open"))).scalar_one()
        return found


async def rewind_event_cursor(db: Database, name: str) -> bool:
    """Have the next catch-up read all events that Stripe still has; False when none was ever read.

    What it has learned before of the time of adoption stays.
    """
    async with db.transaction() as connection:
        done = await connection.execute(statement("recovery/recovery", "rewind_cursor"), {"name": name})
        return done.rowcount == 1


async def key_of_report(db: Database, report_id: str) -> str | None:
    """The invoice that has this report; none when no invoice has it."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("recovery/recovery", "key_of_report"), {"report_id": report_id})
        return found.scalars().first()


async def reports(db: Database, *, after: str, period: str | None, limit: int) -> list[tuple[str, str]]:
    """(invoice key, report id) of invoices that have one, in the order of their keys, from after `after` on."""
    async with db.transaction(read_only=True) as connection:
        parameters = {"after": after, "period": period, "limit": limit}
        found = await connection.execute(statement("recovery/recovery", "reports"), parameters)
        return [(row.key, row.report_id) for row in found]
