"""Workspace instances: the metered usage, as it is imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.text import utc
from billing.usage.rows import InstanceRow, RowFault
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune
from storage.usage.misbilled import MisbilledUsage, misbilled_instances
from storage.usage.staging import InstanceStaging, staged_instances

BATCH = 5000
"""The rows that one transaction stores."""

_IMPORTS = 0x494E5354  # the advisory lock of imports of instances


@dataclass(frozen=True)
class UpsertResult:
    """The result of storing rows; `inserted`, `updated`, `unchanged`, `repeated` and refused rows add up to them.

    `misbilled`: by instance, what is billed otherwise than it ran, as now stored. `repeated`: rows of an instance that
    another row counts for.
    """

    inserted: int
    updated: int
    unchanged: int
    faults: list[RowFault]
    misbilled: dict[str, list[MisbilledUsage]]
    repeated: int = 0


async def upsert_instances(db: Database, rows: Sequence[InstanceRow], *, reopen: bool = False) -> UpsertResult:
    """Store all rows of a file; refused rows are in `faults`, and the others are stored.

    The rules are those of `InstanceStaging.compare` and `store_staged`.
    """
    async with staged_instances(db) as staging:
        faults = await staging.add(rows)
        compared = await staging.compare()
        batches = [batch async for batch in store_staged(staging, reopen=reopen)]
    faults += compared.faults + [fault for batch in batches for fault in batch.faults]
    return UpsertResult(
        inserted=sum(batch.inserted for batch in batches),
        updated=sum(batch.updated for batch in batches),
        unchanged=sum(batch.unchanged for batch in batches),
        faults=sorted(faults, key=lambda fault: fault.line),
        misbilled={instance: usage for batch in batches for instance, usage in batch.misbilled.items()},
        repeated=compared.repeated,
    )


async def store_staged(staging: InstanceStaging, *, reopen: bool) -> AsyncIterator[UpsertResult]:
    """Store the rows of a file that was compared, in batches of one transaction each.

    Whatever contradicts another row of the file is gone by then, wherever the two rows were: if the process dies,
    whole batches are stored, and nothing of a contradiction.

    A row replaces what was known about its instance, but for the columns that it does not have. Without `reopen` a
    row without a stop is refused if a stop is known. Once an instance has a live claim, its attribution id, class,
    workspace and project stay as they were invoiced: a row that changes them is refused. Its times can change.
    """
    after, rows = 0, BATCH
    while rows == BATCH:
        async with staging.connection.begin():
            rows, after = await _take(staging.connection, after)
            result = await _store_batch(staging.connection, rows, reopen=reopen)
        yield result


async def _take(connection: AsyncConnection, after: int) -> tuple[int, int]:
    """Fill the batch with the next rows. Returns their number and the position of the last."""
    await tune(connection)
    await connection.execute(statement("usage/instances", "one_at_a_time"), {"key": _IMPORTS})
    await connection.execute(statement("usage/instances", "create_batch"))
    await connection.execute(statement("usage/instances", "fill_batch"), {"after": after, "size": BATCH})
    await connection.execute(statement("usage/instances", "analyze_batch"))
    taken = (await connection.execute(statement("usage/instances", "measure_batch"))).one()
    return taken.rows, taken.last


async def _store_batch(connection: AsyncConnection, rows: int, *, reopen: bool) -> UpsertResult:
    await connection.execute(statement("usage/instances", "keep_missing"))
    await connection.execute(statement("usage/instances", "default_creation_time"))
    faults = [] if reopen else await _refuse_reopened(connection)
    faults += await _refuse_frozen(connection)
    written = (await connection.execute(statement("usage/instances", "upsert"))).one()
    changed = written.inserted + len(written.updated)
    return UpsertResult(
        inserted=written.inserted,
        updated=len(written.updated),
        unchanged=rows - len(faults) - changed,
        faults=sorted(faults, key=lambda fault: fault.line),
        misbilled=await _misbilled(connection, written.updated),
    )


async def _refuse_reopened(connection: AsyncConnection) -> list[RowFault]:
    refused = await connection.execute(statement("usage/instances", "refuse_reopened"))
    return [
        RowFault(
            row.line,
            row.column,
            f"{row.id} is known to have stopped at {utc(row.stopped)}: a row without a stop does not reopen it; "
            "import the row with its stop, or use --reopen",
        )
        for row in refused
    ]


async def _refuse_frozen(connection: AsyncConnection) -> list[RowFault]:
    await connection.execute(statement("usage/instances", "lock_accounts_of_changed"))
    frozen = await connection.execute(statement("usage/instances", "refuse_frozen"))
    return [RowFault(row.line, row.column, f"cannot change: invoiced as {row.invoiced or 'empty'}") for row in frozen]


async def _misbilled(connection: AsyncConnection, updated: Sequence[str]) -> dict[str, list[MisbilledUsage]]:
    found: dict[str, list[MisbilledUsage]] = {}
    for usage in await misbilled_instances(connection, updated):
        found.setdefault(usage.instance_id, []).append(usage)
    return found
