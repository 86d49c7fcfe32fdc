"""Usage that no run can bill before a person corrects something, by reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.attribution import PATTERN
from billing.usage.warnings import ANY_SUBJECT, NO_ID
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


@dataclass(frozen=True)
class UnbillableUsage:
    """Usage that cannot be billed for one reason, one of those of `period status`.

    `since`: when the first of the instances started. `attribution_id`, `instance_id`: the first ones.
    """

    reason: str
    instances: int
    since: datetime
    attribution_id: str | None
    instance_id: str
    duration_us: int


async def unbillable_usage(db: Database, now: datetime) -> list[UnbillableUsage]:
    """Return the usage until `now` that cannot be billed, without what a person has accepted. It reads all usage."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        given = {"now": now, "attribution_id_pattern": PATTERN, "any_subject": ANY_SUBJECT, "no_id": NO_ID}
        rows = await connection.execute(statement("waiting/unbillable", "unbillable"), given)
        return [record(UnbillableUsage, row) for row in rows]
