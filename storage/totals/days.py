"""Writing the days of settled invoices, and the sums by period over them. docs/run/reporting.md has the rules.

The transaction that marks an invoice as billed writes its days, and the transaction that ends it drops them. Sums by
period (`period_day`) follow later, in batches, since many invoices settle at once: until then an invoice is in
`period_day_pending`, and readers add its days themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.states import BILLED, DEAD, InvoiceState
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_SUMMED_AT_ONCE = 2000
_SUM_EVERY = 500
_FILLED_AT_ONCE = 500


async def write_days(connection: AsyncConnection, invoice_ids: Sequence[int]) -> None:
    """Write the days of invoices that the caller's transaction settles, from their claims and lines. Idempotent."""
    await connection.execute(statement("totals/days", "write"), {"ids": list(invoice_ids)})


async def drop_days(connection: AsyncConnection, invoice_id: int) -> None:
    """Drop the days of an invoice that the caller's transaction ends or writes again, and take them off the sums."""
    own = {"id": invoice_id}
    if not (await connection.execute(statement("totals/days", "has_days"), own)).scalar_one():
        return
    await connection.execute(statement("totals/days", "take_turns"))
    waits = (await connection.execute(statement("totals/days", "stop_awaiting"), own)).one_or_none()
    if waits is None:
        await connection.execute(statement("totals/days", "subtract"), own)
        await connection.execute(statement("totals/days", "drop_empty"), own)
    await connection.execute(statement("totals/days", "drop"), own)


async def follow_state(connection: AsyncConnection, invoice_id: int, before: InvoiceState, to: InvoiceState) -> bool:
    """Write or drop the days of an invoice that the caller's transaction moves from the state `before` to `to`.

    Returns whether it is time to `sum_up` once that has committed: it is after one settlement in some hundreds.
    """
    if to in DEAD:
        await drop_days(connection, invoice_id)
    if to not in BILLED or before in BILLED:
        return False
    await write_days(connection, [invoice_id])
    return is_time_to_sum(invoice_id)


def is_time_to_sum(invoice_id: int) -> bool:
    """Return whether it is time to `sum_up` once this invoice is settled: it is after one in some hundreds."""
    return invoice_id % _SUM_EVERY == 0


async def sum_up(db: Database) -> int:
    """Add the days of invoices that wait for it to the sums by period. Returns how many were added. Idempotent.

    Another process that does the same is left to it.
    """
    added = 0
    while True:
        async with db.transaction() as connection:
            if not (await connection.execute(statement("totals/days", "try_turn"))).scalar_one():
                return added
            taken = await connection.execute(statement("totals/days", "sum_up"), {"most": _SUMMED_AT_ONCE})
            count = int(taken.scalar_one())
        added += count
        if count < _SUMMED_AT_ONCE:
            return added


async def fill_days(db: Database) -> int:
    """Write the days that settled invoices lack, and drop those of others: an earlier version left them so.

    Returns how many invoices it changed. Idempotent; an interrupted call is continued by the next one.
    """
    changed, after = 0, 0
    while ids := await _fill(db, after):
        after, changed = ids[-1], changed + len(ids)
    while dropped := await _drop(db):
        changed += dropped
    await sum_up(db)
    await _sum_again(db)
    return changed


async def _fill(db: Database, after: int) -> list[int]:
    async with db.transaction() as connection:
        await tune(connection)
        found = await connection.execute(
            statement("totals/days", "without_days"), {"after": after, "most": _FILLED_AT_ONCE}
        )
        ids = list(found.scalars())
        if ids:
            await write_days(connection, ids)
    return ids


async def _drop(db: Database) -> int:
    async with db.transaction() as connection:
        found = await connection.execute(statement("totals/days", "with_days"), {"most": _FILLED_AT_ONCE})
        ids = list(found.scalars())
        for invoice_id in ids:
            await drop_days(connection, invoice_id)
    return len(ids)


async def _sum_again(db: Database) -> None:
    """Sum up all days again if the sums are wrong, which only rows changed by hand explain.

    Voids wait for this only if they are wrong: the comparison itself is of one snapshot, and needs no turn.
    """
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        if not (await connection.execute(statement("totals/days", "sums_differ"))).scalar_one():
            return
    async with db.transaction() as connection:
        await tune(connection)
        await connection.execute(statement("totals/days", "take_turns"))
        if not (await connection.execute(statement("totals/days", "sums_differ"))).scalar_one():
            return
        await connection.execute(statement("totals/days", "forget_sums"))
        await connection.execute(statement("totals/days", "await_all"))
    await sum_up(db)
