"""Workspace instances: the metered usage, as it is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.rows import InstanceRow, RowFault
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_COLUMNS = (
    "line",
    "id",
    "attribution_id",
    "workspace_id",
    "project_id",
    "owner_id",
    "workspace_class",
    "workspace_type",
    "creation_time",
    "started_time",
    "stopping_time",
    "stopped_time",
)
_LONGEST_ID = 255


@dataclass(frozen=True)
class UpsertResult:
    """The result of storing a batch; `inserted`, `updated`, `unchanged` and refused rows add up to the batch.

    `overbilled`: instances whose new times no longer cover their claims.
    """

    inserted: int
    updated: int
    unchanged: int
    faults: list[RowFault]
    overbilled: list[str]


async def upsert_instances(db: Database, rows: Sequence[InstanceRow]) -> UpsertResult:
    """Store a batch of instances (a few thousand rows) in one transaction; refused rows are in `faults`.

    A row replaces everything that was known about its instance. Of several rows with the same id the last counts, the
    others count as unchanged. Once an instance has a live claim, its attribution id, class, workspace and
    project stay as they were invoiced: a row that changes them is refused. Its times can change.
    """
    faults = [fault for row in rows if (fault := _fault(row)) is not None]
    refused = {fault.line for fault in faults}
    batch = list({row.id: row for row in rows if row.line not in refused}.values())
    if not batch:
        return UpsertResult(0, 0, 0, faults, [])
    async with db.transaction() as connection:
        await tune(connection)
        await connection.execute(statement("usage/instances", "create_batch"))
        columns = {name: [getattr(row, name) for row in batch] for name in _COLUMNS}
        await connection.execute(statement("usage/instances", "fill_batch"), columns)
        await connection.execute(statement("usage/instances", "analyze_batch"))
        faults += await _refuse_frozen(connection)
        written = (await connection.execute(statement("usage/instances", "upsert"))).one()
        overbilled = await _overbilled(connection, written.updated)
    changed = written.inserted + len(written.updated)
    return UpsertResult(
        inserted=written.inserted,
        updated=len(written.updated),
        unchanged=len(rows) - len(faults) - changed,
        faults=sorted(faults, key=lambda fault: fault.line),
        overbilled=overbilled,
    )


def _fault(row: InstanceRow) -> RowFault | None:
    if not row.id:
        return RowFault(row.line, "id", "is empty")
    if len(row.id) > _LONGEST_ID:
        return RowFault(row.line, "id", f"is longer than {_LONGEST_ID} characters")
    return None


async def _refuse_frozen(connection: AsyncConnection) -> list[RowFault]:
    await connection.execute(statement("usage/instances", "lock_accounts_of_changed"))
    frozen = await connection.execute(statement("usage/instances", "refuse_frozen"))
    return [RowFault(row.line, row.column, f"cannot change: invoiced as {row.invoiced or 'empty'}") for row in frozen]


async def _overbilled(connection: AsyncConnection, updated: Sequence[str]) -> list[str]:
    if not updated:
        return []
    found = await connection.execute(statement("usage/instances", "overbilled"), {"ids": list(updated)})
    return list(found.scalars())
