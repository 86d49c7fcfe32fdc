"""The usage on an invoice, interval by interval, and the fate of its account's usage in a period."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.errors import MismatchError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.usage.interval import ClosedInterval
from billing.usage.silence import NEVER_SILENT, Silence
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.usage.explain import judging


@dataclass(frozen=True)
class InvoicedInterval(ClosedInterval):
    """A part of an instance's runtime on a line. `released_at`: when it was released, None if the claim is live.

    `cut`: by a correction.
    """

    instance_id: str
    line_no: int
    duration_us: int
    quantity: Decimal
    released_at: datetime | None
    cut: bool


@dataclass(frozen=True)
class AccountUsage:
    """The fate of an account's usage in a period: `runtime_us` is the sum of `fates`, (fate, invoice key, us)."""

    runtime_us: int
    fates: tuple[tuple[str, str | None, int], ...]


async def invoice_intervals(db: Database, invoice: InvoiceRecord) -> AsyncGenerator[InvoicedInterval, None]:
    """Yield every interval that the invoice bills, ordered by line and start.

    Raises:
        MismatchError: after the last interval, if they do not add up to the durations of the invoice's lines.
    """
    sums: dict[int, int] = {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.stream(
            statement("usage/explain", "invoice_intervals"), {"invoice_id": invoice.id, "dead": invoice.state in DEAD}
        )
        async for row in rows.mappings():
            found = InvoicedInterval(**row)
            sums[found.line_no] = sums.get(found.line_no, 0) + found.duration_us
            yield found
    for line in invoice.lines:
        if (total := sums.pop(line.line_no, 0)) != line.rated.duration_us:
            raise MismatchError(
                f"line {line.line_no} of {invoice.key} bills {line.rated.duration_us} us, but its intervals total "
                f"{total} us: run `perdure audit` for details"
            )
    if sums:
        raise MismatchError(f"{invoice.key} has usage on missing lines {sorted(sums)}: run `perdure audit` for details")


async def account_usage(
    connection: AsyncConnection,
    attribution_id: str,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    bill_after: datetime | None,
    first_rate: datetime,
    silence: Silence = NEVER_SILENT,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
) -> AccountUsage:
    """Sum the account's usage within `[start, end)` by fate.

    Raises:
        MismatchError: the fates do not add up to the runtime, which would be a bug.
    """
    rows = await connection.execute(
        statement("usage/explain", "account_in_period"),
        {
            "attribution_id": attribution_id,
            "start": start,
            "end": end,
            **judging(now, bill_after, first_rate, silence, charged_kinds),
        },
    )
    runtime, *fates = rows
    if (total := sum(row.duration_us for row in fates)) != runtime.duration_us:
        raise MismatchError(
            f"{attribution_id} used {runtime.duration_us} us, but its fates total {total} us: this is a bug"
        )
    return AccountUsage(runtime.duration_us, tuple((row.fate, row.invoice_key, row.duration_us) for row in fates))
