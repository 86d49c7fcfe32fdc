"""A period's amounts by account, class, day or currency, compared with another period's; each way, the sums agree."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from storage.postgres.database import Database
from storage.postgres.rows import reader
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_ROWS_AT_ONCE = 1000


class SummaryBy(StrEnum):
    """What the rows of a summary are."""

    ACCOUNT = "account"
    CLASS = "class"
    DAY = "day"
    CURRENCY = "currency"


_STATEMENTS = {
    SummaryBy.ACCOUNT: ("by_account",),
    SummaryBy.CLASS: ("by_class",),
    SummaryBy.DAY: ("by_day", "without_day", "edited"),
    SummaryBy.CURRENCY: ("by_currency",),
}


@dataclass(frozen=True)
class SummaryRow:
    """The amounts of a subject in one currency, in minor units.

    `subject`: the attribution id, class, UTC day or currency; empty for what belongs to no class or day. `settled`: of
    invoices whose books agree; `open` and `blocked`: of those that are not settled yet. `edited`: what edits in Stripe
    that a person accepted change; by class and day it has a row of its own. `credited`: by issued credit notes.
    `before`: the net amount of the other period. `invoices` and `quantity_us` (Σ duration × quantity) are None where
    they are not counted.
    """

    subject: str
    name: str | None
    currency: str
    invoices: int | None
    quantity_us: Decimal | None
    settled: int
    open: int
    blocked: int
    edited: int
    credited: int
    before: int

    @property
    def net(self) -> int:
        """Everything less the credits: what Stripe has, before discounts and tax."""
        return self.settled + self.open + self.blocked + self.edited - self.credited


def summed(rows: Iterable[SummaryRow]) -> list[SummaryRow]:
    """Return the sum of rows by currency, with the currency as the subject, in order of their codes."""
    sums: dict[str, SummaryRow] = {}
    for row in rows:
        so_far = sums.get(row.currency, SummaryRow(row.currency, None, row.currency, None, None, 0, 0, 0, 0, 0, 0))
        sums[row.currency] = replace(
            so_far,
            settled=so_far.settled + row.settled,
            open=so_far.open + row.open,
            blocked=so_far.blocked + row.blocked,
            edited=so_far.edited + row.edited,
            credited=so_far.credited + row.credited,
            before=so_far.before + row.before,
        )
    return [sums[currency] for currency in sorted(sums)]


async def summarize(db: Database, period: str, by: SummaryBy, before: str | None) -> AsyncGenerator[SummaryRow]:
    """Yield the rows, by currency: accounts and classes by net amount, the largest first, days in order.

    All rows are of one snapshot. `before`: the period to compare with; None: their `before` is 0.
    """
    given = {"period": period, "before": before}
    names = _STATEMENTS[by]
    async with db.transaction(read_only=True, snapshot=True) as connection:
        await tune(connection)
        for name in names:
            rows = await connection.stream(statement("totals/summary", name), given)
            read = reader(SummaryRow, rows.keys())
            async for partition in rows.partitions(_ROWS_AT_ONCE):
                for row in partition:
                    yield read(row)
