"""Where the rows of a file go: compared with each other first, then stored batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from billing.usage.rows import AccountRow, ImportOptions, InstanceRow, RowFault
from billing.usage.warnings import UsageWarning
from settings import Settings
from starter.cli.imports.report import Stored
from starter.cli.warnings import gather
from storage.accounts.accounts import apply_rows
from storage.accounts.staging import AccountStaging, staged_accounts
from storage.postgres.database import Database
from storage.usage.instances import store_staged
from storage.usage.misbilled import MisbilledUsage
from storage.usage.staging import InstanceStaging, staged_instances

_ACCOUNTS = 1000  # of a batch, with all of their rows
T_contra = TypeVar("T_contra", contravariant=True)


class Destination(Protocol[T_contra]):
    """Takes all rows of one file, and stores them afterwards."""

    async def add(self, rows: Sequence[T_contra]) -> list[RowFault]:
        """Add rows of the file, in its order. Nothing is stored yet; returns those that cannot be."""

    def store(self) -> AsyncIterator[Stored]:
        """Compare the rows, store them, and yield what happened to each batch once it is committed."""


@asynccontextmanager
async def store_instances(
    db: Database, options: ImportOptions, settings: Settings | None
) -> AsyncIterator[Destination[InstanceRow]]:
    """Yield the destination of a file of instances. Without settings, it gives no warnings."""
    async with staged_instances(db) as staging:
        yield _Instances(db, staging, options, settings)


@asynccontextmanager
async def store_accounts(
    db: Database,
    options: ImportOptions,
    settings: Settings | None,  # noqa: ARG001
) -> AsyncIterator[Destination[AccountRow]]:
    """Yield the destination of a file of accounts."""
    async with staged_accounts(db) as staging:
        yield _Accounts(db, staging, options)


class _Instances:
    def __init__(
        self, db: Database, staging: InstanceStaging, options: ImportOptions, settings: Settings | None
    ) -> None:
        self._db = db
        self._staging = staging
        self._options = options
        self._settings = settings
        self._warnings: list[UsageWarning] = []

    async def add(self, rows: Sequence[InstanceRow]) -> list[RowFault]:
        return await self._staging.add(rows, self._options)

    async def store(self) -> AsyncIterator[Stored]:
        compared = await self._staging.compare()
        yield Stored({"repeated": compared.repeated}, compared.faults)
        async for result in store_staged(self._staging, self._options, self._judge):
            counts = {name: getattr(result, name) for name in ("inserted", "updated", "unchanged", "stale")}
            yield Stored(counts, result.faults, result.misbilled, await gather.of_doubts(self._db, result.doubts))
        yield Stored({}, warnings=self._warnings)

    async def _judge(self) -> None:
        if self._settings is not None:
            self._warnings = await gather.of_import(self._staging, self._settings)


class _Accounts:
    def __init__(self, db: Database, staging: AccountStaging, options: ImportOptions) -> None:
        self._db = db
        self._staging = staging
        self._options = options

    async def add(self, rows: Sequence[AccountRow]) -> list[RowFault]:
        await self._staging.add(rows)
        return []

    async def store(self) -> AsyncIterator[Stored]:
        async for rows in self._staging.batches(_ACCOUNTS):
            plan = await apply_rows(self._db, rows, reopen=self._options.reopen, dry_run=self._options.dry_run)
            refused = {fault.line for fault in plan.faults}
            counts = {"stored": len(rows) - len(refused) - plan.repeated, "repeated": plan.repeated}
            outside: dict[str, list[MisbilledUsage]] = {row.attribution_id: [] for row in rows}
            for usage in plan.outside:
                outside[usage.attribution_id].append(usage)
            yield Stored(counts, plan.faults, outside)
