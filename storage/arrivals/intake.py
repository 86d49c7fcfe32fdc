"""Taking what one query or one file of a source reports.

A page of rows, their facts, what is refused of them and the cursor are one transaction: however a read ends, the cursor
never passes a row that is not stored. Rows without an update time are compared with each other before any is stored,
so they are stored when the last page is there, as those of an import are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.remedies import OF_SOURCE
from billing.usage.rows import ImportOptions, InstanceRow, RowFault
from storage.arrivals.faults import (
    Refusal,
    keep_faults,
    remove_faults,
    remove_staged_faults,
    remove_unseen_faults,
)
from storage.arrivals.objects import ReadObject, add_object
from storage.arrivals.snapshots import begin_snapshot, note_seen, sign_seen
from storage.arrivals.sources import ReadCounts, move_cursor, record_success
from storage.postgres.database import Database
from storage.usage.instances import store_staged
from storage.usage.paging import store_page
from storage.usage.results import UpsertResult
from storage.usage.staging import InstanceStaging, staged_instances

_MOST_NAMED = 20


@dataclass
class IntakeCounts:
    """What rows resulted in. `misbilled` counts instances; `faults` and `doubts` have the first in words."""

    rows: int = 0
    new: int = 0
    stale: int = 0
    refused: int = 0
    misbilled: int = 0
    faults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def add(self, other: IntakeCounts) -> None:
        """Add what other rows resulted in."""
        self.rows += other.rows
        self.new += other.new
        self.stale += other.stale
        self.refused += other.refused
        self.misbilled += other.misbilled
        self.faults = [*self.faults, *other.faults][:_MOST_NAMED]
        self.doubts = [*self.doubts, *other.doubts][:_MOST_NAMED]

    def stored(self, result: UpsertResult) -> None:
        """Add the result of storing rows."""
        self.new += result.inserted + result.updated
        self.stale += result.stale
        self.misbilled += len(result.misbilled)
        self.doubts += [f"{doubt.instance_id}: {doubt.reason}" for doubt in result.doubts]
        del self.doubts[_MOST_NAMED:]

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Add refused rows; a row can have several faults."""
        self.refused += len({refusal.line for refusal in refusals})
        self.faults += [str(refusal) for refusal in refusals]
        del self.faults[_MOST_NAMED:]


class Intake:
    """Takes the rows of one query, or of one file, which `path` names. `snapshot`: they are all running instances."""

    def __init__(
        self,
        staging: InstanceStaging,
        source: str,
        began_at: datetime,
        *,
        reopen: bool,
        path: str | None,
        snapshot: bool,
    ) -> None:
        self.tally = IntakeCounts()
        self._staging = staging
        self._source = source
        self._began_at = began_at
        self._options = ImportOptions(source=source, reopen=reopen, remedies=OF_SOURCE)
        self._path = path
        self._snapshot = snapshot
        self._place = "row " if path is None else f"{path}, line "

    async def add_page(self, rows: Sequence[InstanceRow], faults: Sequence[RowFault], cursor: datetime | None) -> None:
        """Store a page and the cursor. `faults`: of rows that could not be parsed; `cursor`: None if it has none."""
        connection = self._staging.connection
        async with connection.begin():
            result = await store_page(self._staging, rows, self._options)
            refused = self._refusals([*faults, *result.faults])
            await self._update_faults(rows, refused)
            if self._snapshot:
                named = {fault.instance_id for fault in faults if fault.instance_id}
                await note_seen(connection, {row.id for row in rows} | named)
            await move_cursor(connection, self._source, cursor)
        self.tally.rows += len(rows) + len({fault.line for fault in faults})
        self.tally.stored(result)
        self.tally.refuse(refused)

    async def finish_query(
        self, cursor: datetime | None, started_at: datetime, clock: datetime, lag: timedelta, *, whole: bool
    ) -> None:
        """Store the rows without an update time, and record that the source was read to its end.

        Args:
            cursor: where the next read begins.
            started_at: when the read began, by our clock.
            clock: when it began, by the source's clock, or by ours if that is earlier.
            lag: how far what the source says can be behind.
            whole: the read had all rows, so that what was refused earlier and is gone waits no longer.
        """

        async def record(connection: AsyncConnection) -> None:
            if whole:
                await remove_unseen_faults(connection, self._source, self._began_at)
            counts = counts_of(self.tally, started_at, clock - lag)
            if self._snapshot:
                await sign_seen(connection, self._source, clock)
                counts = replace(counts, snapshot_at=clock)
            await record_success(connection, self._source, cursor, counts)

        await self._finish(record)

    async def finish_file(self, etag: str, definition: str) -> None:
        """Store the rows without an update time, and record that the file was read to its end."""
        path = self._path
        assert path is not None

        async def record(connection: AsyncConnection) -> None:
            await remove_unseen_faults(connection, self._source, self._began_at, self._place)
            read = ReadObject(path, etag, definition, self.tally.rows, self.tally.refused)
            await add_object(connection, self._source, read)

        await self._finish(record)

    async def _finish(self, record: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        connection = self._staging.connection
        compared = await self._staging.compare(self._options)
        async with connection.begin():
            await self._refuse(compared.faults)

        async def last() -> None:
            await remove_staged_faults(connection, self._source, self._began_at)
            await record(connection)

        async def refuse(result: UpsertResult) -> None:
            await self._refuse(result.faults)

        async for result in store_staged(self._staging, self._options, last, refuse):
            self.tally.stored(result)

    async def _update_faults(self, rows: Sequence[InstanceRow], refused: Sequence[Refusal]) -> None:
        """Keep the faults of instances whose last row of the page was refused, remove those of the others."""
        lines = {refusal.line for refusal in refused}
        good = {row.id: row.line for row in rows if row.updated_at is not None and row.line not in lines}
        kept = [refusal for refusal in refused if refusal.line > good.get(refusal.subject, -1)]
        subjects = {refusal.subject for refusal in kept}
        await remove_faults(self._staging.connection, self._source, good.keys() - subjects)
        await keep_faults(self._staging.connection, self._source, kept)

    async def _refuse(self, faults: Sequence[RowFault]) -> None:
        refused = self._refusals(faults)
        await keep_faults(self._staging.connection, self._source, refused)
        self.tally.refuse(refused)

    def _refusals(self, faults: Sequence[RowFault]) -> list[Refusal]:
        return [
            Refusal(fault.instance_id or f"{self._place}{fault.line}", fault.column, fault.reason, fault.line)
            for fault in faults
        ]


def counts_of(tally: IntakeCounts, started_at: datetime, complete_up_to: datetime) -> ReadCounts:
    """Return what a read that began at `started_at` is recorded with."""
    return ReadCounts(started_at, complete_up_to, tally.rows, tally.new, tally.stale, tally.refused)


@asynccontextmanager
async def taking(
    db: Database, source: str, began_at: datetime, *, reopen: bool, path: str | None = None, snapshot: bool = False
) -> AsyncIterator[Intake]:
    """Yield an empty intake with a connection of its own.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, drops the connection, or has another schema.
    """
    async with staged_instances(db) as staging:
        if snapshot:
            await begin_snapshot(staging.connection)
        yield Intake(staging, source, began_at, reopen=reopen, path=path, snapshot=snapshot)
