"""What is probably wrong with a whole period: usage that is missing, late, or far above the period before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from billing.accounts.cycles import LONGEST_MONTH
from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.usage.silence import Silence
from billing.usage.warnings import ANY_SUBJECT
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

MULTIPLE = 3
"""An account above this multiple of its period before is worth a warning."""
MOST_NAMED = 20
"""So many accounts with late usage are named: the amount of more is not computed."""


@dataclass(frozen=True)
class SteepAmount:
    """An account whose amount of a period is far above that of its period before; `subjects` are so.

    `subject` is `<period>/<attribution id>`. Amounts are in minor units.
    """

    subjects: int
    subject: str
    currency: str
    amount: int
    previous_period: str
    previous_amount: int


@dataclass(frozen=True)
class LateUsage:
    """Billable usage of a period that no invoice claims, although the period was billed.

    `left_accounts`: accounts whose usage the period had left unbilled, below the minimum charge for example, and that
    have more of it since: `left_us` more. The other figures do not count them. `named`: the ids of up to `MOST_NAMED`
    of the `accounts`.
    """

    instances: int
    accounts: int
    duration_us: int
    left_accounts: int = 0
    left_us: int = 0
    named: Sequence[str] = field(default=(), compare=False)


async def last_arrival(db: Database) -> datetime | None:
    """Return the latest start, stop or sign of any instance. None if there is none."""
    async with db.transaction(read_only=True) as connection:
        last: datetime | None = await connection.scalar(statement("warnings/periods", "last_arrival"))
        return last


async def newest_period(db: Database) -> str | None:
    """Return the latest period that has a live invoice. None if there is none."""
    async with db.transaction(read_only=True) as connection:
        period: str | None = await connection.scalar(statement("warnings/periods", "newest_period"))
        return period


async def newest_summary(db: Database) -> str | None:
    """Return the latest period that has a summary: all of it was billed. None if there is none."""
    async with db.transaction(read_only=True) as connection:
        period: str | None = await connection.scalar(statement("warnings/periods", "newest_summary"))
        return period


async def steep_amounts(
    db: Database,
    period: str,
    most: int,
    *,
    attribution_id: str | None = None,
    previewed: Sequence[tuple[str, str, int]] = (),
) -> list[SteepAmount]:
    """Return up to `most` accounts above `MULTIPLE` times their period before, the steepest first.

    `previewed`: attribution id, currency and amount of the invoices that a run would add to those of the period.
    """
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("warnings/periods", "above_previous"),
            {
                "period": period,
                "attribution_id": attribution_id,
                "accounts": [each[0] for each in previewed],
                "currencies": [each[1] for each in previewed],
                "amounts": [each[2] for each in previewed],
                "multiple": MULTIPLE,
                "any_subject": ANY_SUBJECT,
                "most": most,
            },
        )
        return [record(SteepAmount, row) for row in rows]


async def late_usage(
    db: Database,
    period: str,
    *,
    start: datetime | None,
    end: datetime,
    bill_after: datetime | None,
    first_rate: datetime | None,
    silence: Silence,
    charge_on: str,
    attribution_id: str | None = None,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
) -> LateUsage:
    """Return the usage within `[start, end)` that arrived after the period was billed.

    `charge_on` is the deployment's: accounts that pay on their subscription's invoice have no late usage.
    """
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        rows = await connection.execute(
            statement("warnings/periods", "late_usage"),
            {
                "period": period,
                "start": start,
                "end": end,
                "bill_after": bill_after,
                "first_rate": first_rate,
                "charge_on": charge_on,
                "longest_month": LONGEST_MONTH,
                **asdict(silence),
                "charged_kinds": sorted(charged_kinds),
                "attribution_id": attribution_id,
                "most_named": MOST_NAMED,
            },
        )
        return record(LateUsage, rows.one())
