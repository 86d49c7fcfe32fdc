"""Where the rows of a file go: compared with each other first, then stored batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from billing.usage.rows import AccountRow, ImportOptions, InstanceRow, RowFault
from starter.cli.imports.report import Stored
from storage.accounts.accounts import apply_rows
from storage.accounts.staging import AccountStaging, staged_accounts
from storage.postgres.database import Database
from storage.usage.instances import store_staged
from storage.usage.misbilled import MisbilledUsage, misbilled_usage
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
async def store_instances(db: Database, reopen: bool) -> AsyncIterator[Destination[InstanceRow]]:
    """Yield the destination of a file of instances; with `reopen`, a row can remove a known stop."""
    async with staged_instances(db) as staging:
        yield _Instances(staging, reopen)


@asynccontextmanager
async def store_accounts(db: Database, reopen: bool) -> AsyncIterator[Destination[AccountRow]]:
    """Yield the destination of a file of accounts; with `reopen`, a row can remove a known end."""
    async with staged_accounts(db) as staging:
        yield _Accounts(db, staging, reopen)


class _Instances:
    def __init__(self, staging: InstanceStaging, reopen: bool) -> None:
        self._staging = staging
        self._reopen = reopen

    async def add(self, rows: Sequence[InstanceRow]) -> list[RowFault]:
        return await self._staging.add(rows)

    async def store(self) -> AsyncIterator[Stored]:
        compared = await self._staging.compare()
        yield Stored({"repeated": compared.repeated}, compared.faults)
        async for result in store_staged(self._staging, ImportOptions(reopen=self._reopen)):
            counts = {"inserted": result.inserted, "updated": result.updated, "unchanged": result.unchanged}
            yield Stored(counts, result.faults, result.misbilled)


class _Accounts:
    def __init__(self, db: Database, staging: AccountStaging, reopen: bool) -> None:
        self._db = db
        self._staging = staging
        self._reopen = reopen

    async def add(self, rows: Sequence[AccountRow]) -> list[RowFault]:
        await self._staging.add(rows)
        return []

    async def store(self) -> AsyncIterator[Stored]:
        async for rows in self._staging.batches(_ACCOUNTS):
            plan = await apply_rows(self._db, rows, reopen=self._reopen)
            refused = {fault.line for fault in plan.faults}
            counts = {"stored": len(rows) - len(refused) - plan.repeated, "repeated": plan.repeated}
            yield Stored(counts, plan.faults, misbilled=await self._outside(rows))

    async def _outside(self, rows: Sequence[AccountRow]) -> dict[str, list[MisbilledUsage]]:
        # Earlier claims have released their locks on these accounts, and later claims use the new windows.
        outside: dict[str, list[MisbilledUsage]] = {row.attribution_id: [] for row in rows}
        for usage in await misbilled_usage(self._db, accounts=list(outside)):
            if usage.reason == "outside_windows":
                outside[usage.attribution_id].append(usage)
        return outside
