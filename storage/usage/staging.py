"""A file of instances in a temporary table, where its rows are compared with each other before any is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.facts import fact_of_row
from billing.usage.remedies import Remedies
from billing.usage.rows import FILE, Comparison, ImportOptions, InstanceRow, RowFault
from storage.postgres.copying import copy_rows
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement

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
    "quantity",
    "updated_at",
)
_values = attrgetter(*_COLUMNS)
_LONGEST_ID = 255


class InstanceStaging:
    """The rows of one file, in a temporary table of one connection: memory does not grow with them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.has_facts = False
        self._has_others = False

    async def add(self, rows: Sequence[InstanceRow], options: ImportOptions = FILE) -> list[RowFault]:
        """Add rows of the file, in its order. Returns those that cannot be kept."""
        async with self.connection.begin():
            return await self.put(rows, options)

    async def put(self, rows: Sequence[InstanceRow], options: ImportOptions = FILE) -> list[RowFault]:
        """Add rows, as `add` does, within the caller's transaction."""
        faults = [fault for row in rows if (fault := _fault(row)) is not None]
        refused = {fault.line for fault in faults}
        good = [_as_of(row, options.as_of) for row in rows if row.line not in refused]
        staged = [(*_values(row), sorted(row.missing), *_fact(row, options.source)) for row in good]
        await copy_rows(self.connection, "staged_instance", (*_COLUMNS, "missing", "digest", "content"), staged)
        self._has_others |= any(row.updated_at is None for row in good)
        return faults

    async def compare(self, options: ImportOptions = FILE) -> Comparison:
        """Remove the rows that contradict another row of the file, and those that only repeat one.

        A row with an update time is a fact of its own; only an equal one repeats it. Two other rows of one instance
        contradict each other if a value differs or if one lacks a column of the other. A row
        that only adds a stop to the row before it does not: the row with the stop counts.
        """
        async with self.connection.begin():
            await self.connection.execute(statement("usage/staging", "analyze"))
            found = await self.connection.execute(statement("usage/staging", "refuse_contradictions"))
            faults = [
                RowFault(row.line, row.column, _contradiction(row, options.remedies), row.other, row.id)
                for row in found
            ]
            repeated = (await self.connection.execute(statement("usage/staging", "drop_repeated"))).rowcount
            self.has_facts = (await self.connection.execute(statement("usage/staging", "has_facts"))).scalar_one()
            if self.has_facts:
                repeated += await self.drop_repeated_facts()
            return Comparison(sorted(faults, key=lambda fault: fault.line), repeated)

    async def drop_repeated_facts(self) -> int:
        """Remove the facts that repeat one, within the caller's transaction. Returns how many they were."""
        return (await self.connection.execute(statement("usage/staging", "drop_repeated_facts"))).rowcount

    async def forget_facts(self) -> None:
        """Remove the facts, which are stored, within the caller's transaction."""
        await self.connection.execute(statement("usage/staging", "forget_facts" if self._has_others else "empty"))


@asynccontextmanager
async def staged_instances(db: Database) -> AsyncIterator[InstanceStaging]:
    """Yield an empty staging.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, drops the connection, or has another schema.
    """
    async with db.connection() as connection:
        async with connection.begin():
            await require_known_revision(connection)
            # A file that failed can have left its table to the connection.
            await connection.execute(statement("usage/staging", "drop"))
            await connection.execute(statement("usage/staging", "create"))
        yield InstanceStaging(connection)
        async with connection.begin():
            await connection.execute(statement("usage/staging", "drop"))


def _fault(row: InstanceRow) -> RowFault | None:
    if not row.id:
        return RowFault(row.line, "id", "is empty")
    if len(row.id) > _LONGEST_ID:
        return RowFault(row.line, "id", f"is longer than {_LONGEST_ID} characters", instance_id=row.id[:_LONGEST_ID])
    return None


def _fact(row: InstanceRow, source: str) -> tuple[UUID | None, str | None]:
    """Return digest and content of the fact that the row is. None without an update time."""
    if row.updated_at is None:
        return None, None
    fact = fact_of_row(row, row.updated_at, source)
    return fact.digest, fact.content


def _as_of(row: InstanceRow, instant: datetime | None) -> InstanceRow:
    return row if instant is None or row.updated_at is not None else replace(row, updated_at=instant)


def _contradiction(row: Row[Any], remedies: Remedies) -> str:
    what = "other columns" if row.column == "row" else f"another {row.column}"
    return f"{row.id} has {what} in line {row.other}: neither row is imported; {remedies.contradicted}"
