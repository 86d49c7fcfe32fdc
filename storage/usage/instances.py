"""Workspace instances: the metered usage, as it is imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.pricing.rating import DEFAULT_CLASS
from billing.text import utc
from billing.usage.facts import COLUMNS, FactKind, fact
from billing.usage.fold import fold, known_facts
from billing.usage.remedies import Remedies
from billing.usage.rows import FILE, ImportOptions, InstanceRow, RowFault
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement
from storage.postgres.tuning import tune
from storage.usage.facts import store_facts, take_facts
from storage.usage.folding import known_instances, write_folded
from storage.usage.results import UpsertResult, misbilled_by_instance
from storage.usage.staging import InstanceStaging, staged_instances

BATCH = 5000
"""The rows that one transaction stores."""

_IMPORTS = 0x494E5354  # the advisory lock of imports of instances
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


async def upsert_instances(db: Database, rows: Sequence[InstanceRow], options: ImportOptions = FILE) -> UpsertResult:
    """Store all rows of a file; refused rows are in `faults`, and the others are stored.

    The rules are those of `InstanceStaging.compare` and `store_staged`.
    """
    async with staged_instances(db) as staging:
        faults = await staging.add(rows, options)
        compared = await staging.compare()
        batches = [batch async for batch in store_staged(staging, options)]
    faults += compared.faults + [fault for batch in batches for fault in batch.faults]
    return UpsertResult(
        inserted=sum(batch.inserted for batch in batches),
        updated=sum(batch.updated for batch in batches),
        unchanged=sum(batch.unchanged for batch in batches),
        faults=sorted(faults, key=lambda fault: fault.line),
        misbilled={instance: usage for batch in batches for instance, usage in batch.misbilled.items()},
        repeated=compared.repeated,
        stale=sum(batch.stale for batch in batches),
        doubts=[doubt for batch in batches for doubt in batch.doubts],
    )


async def store_staged(
    staging: InstanceStaging,
    options: ImportOptions = FILE,
    at_end: Callable[[], Awaitable[None]] | None = None,
    with_each: Callable[[UpsertResult], Awaitable[None]] | None = None,
) -> AsyncIterator[UpsertResult]:
    """Store the rows of a file that was compared, in batches of one transaction each; facts first.

    Whatever contradicts another row of the file is gone by then, wherever the two rows were: if the process dies,
    whole batches are stored, and nothing of a contradiction. docs/facts.md has the rules of merging. With
    `options.dry_run` everything is computed in one transaction, which is rolled back. `at_end` is awaited in a
    transaction that sees all rows stored, in a dry run too; `with_each` in the transaction of each batch.
    """
    connection = staging.connection
    if not options.dry_run:
        async for result in _store_all(staging, options, with_each):
            yield result
        if at_end is not None:
            async with connection.begin():
                await at_end()
        return
    async with connection.begin() as transaction:
        async for result in _store_all(staging, options, with_each):
            yield result
        if at_end is not None:
            await at_end()
        await transaction.rollback()


async def _store_all(
    staging: InstanceStaging,
    options: ImportOptions,
    with_each: Callable[[UpsertResult], Awaitable[None]] | None = None,
) -> AsyncIterator[UpsertResult]:
    connection = staging.connection
    if staging.has_facts:
        async with _transaction(connection, options):
            since: datetime = (await connection.execute(statement("usage/instances", "now"))).scalar_one()
        after, rows = 0, BATCH
        while rows == BATCH:
            async with _transaction(connection, options):
                await begin_batch(connection)
                rows, after = await take_facts(connection, after, BATCH, options.source)
                result = await store_facts(connection, rows, options, since)
                if with_each is not None:
                    await with_each(result)
            yield result
    after, rows = 0, BATCH
    while rows == BATCH:
        async with _transaction(connection, options):
            await begin_batch(connection)
            taken = await _take(connection, after)
            result = await _store_batch(connection, taken, options)
            await connection.execute(statement("usage/instances", "drop_batch"))
            if with_each is not None:
                await with_each(result)
            rows, after = taken.rows, taken.last
        yield result


def _transaction(connection: AsyncConnection, options: ImportOptions) -> AbstractAsyncContextManager[object]:
    return nullcontext() if options.dry_run else connection.begin()


async def begin_batch(connection: AsyncConnection) -> None:
    """Begin to store rows in the caller's transaction: imports wait for each other, and for an upgrade."""
    await require_known_revision(connection)
    await tune(connection)
    await connection.execute(statement("usage/instances", "one_at_a_time"), {"key": _IMPORTS})


async def _take(connection: AsyncConnection, after: int) -> Row[Any]:
    """Store the next rows that are new, and fill the batch with those that change an instance. Returns the counts."""
    await connection.execute(statement("usage/instances", "create_batch"))
    taken = (await connection.execute(statement("usage/instances", "take_rows"), {"after": after, "size": BATCH})).one()
    await connection.execute(statement("usage/instances", "analyze_batch"))
    return taken


async def _store_batch(connection: AsyncConnection, taken: Row[Any], options: ImportOptions) -> UpsertResult:
    faults: list[RowFault] = []
    refused: list[RowFault] = []
    changed: list[str] = []
    if taken.changing:
        refused, forgotten = await _prepare(connection, options)
        faults = refused + await _keep_refused(connection, options)
        await connection.execute(statement("usage/instances", "drop_unchanged"))
        runs = [] if options.correct else await _store_runs(connection)
        await connection.execute(statement("usage/instances", "note_payers"))
        written = (await connection.execute(statement("usage/folding", "write_batch"))).scalars()
        changed = sorted({*written, *runs, *forgotten})
    return UpsertResult(
        inserted=taken.inserted,
        updated=len(changed),
        unchanged=taken.rows - len(refused) - taken.inserted - len(changed),
        faults=sorted(faults, key=lambda fault: fault.line),
        misbilled=await misbilled_by_instance(connection, changed),
    )


async def _prepare(connection: AsyncConnection, options: ImportOptions) -> tuple[list[RowFault], list[str]]:
    """Take out the rows that are refused as a whole, and lock the accounts of the others.

    Returns the faults, and the instances whose facts a correction forgets.
    """
    refused = [] if options.correct else await _refuse_stale(connection, options)
    if not options.dry_run:
        given = {"correct": options.correct}
        await connection.execute(statement("usage/instances", "lock_accounts_of_changed"), given)
    if not options.correct:
        return refused, []
    forgotten = await connection.execute(statement("usage/instances", "forget_facts"))
    return refused, list(forgotten.scalars())


async def _refuse_stale(connection: AsyncConnection, options: ImportOptions) -> list[RowFault]:
    """Refuse the rows that may be older than what is known."""
    remedies = options.remedies
    refused = await _refuse_untimed(connection, remedies) + await _refuse_earlier_runs(connection, remedies)
    return refused if options.reopen else refused + await _refuse_reopened(connection, remedies)


async def _refuse_untimed(connection: AsyncConnection, remedies: Remedies) -> list[RowFault]:
    refused = await connection.execute(statement("usage/instances", "refuse_untimed"))
    return [
        RowFault(
            row.line,
            "updated_at",
            f"{row.id} is known by facts with a time, the last of {utc(row.last_sign)}: {remedies.untimed}",
            instance_id=row.id,
        )
        for row in refused
    ]


async def _refuse_earlier_runs(connection: AsyncConnection, remedies: Remedies) -> list[RowFault]:
    await connection.execute(statement("usage/instances", "pass_over_known_runs"), {"default_class": DEFAULT_CLASS})
    refused = await connection.execute(statement("usage/instances", "refuse_earlier_runs"))
    return [
        RowFault(
            row.line,
            "started_time",
            f"{row.id} has started again at {utc(row.started_time)}: a row without an updated_at neither adds nor "
            f"changes an earlier run; {remedies.earlier_run}",
        )
        for row in refused
    ]


async def _refuse_reopened(connection: AsyncConnection, remedies: Remedies) -> list[RowFault]:
    refused = await connection.execute(statement("usage/instances", "refuse_reopened"))
    return [
        RowFault(
            row.line,
            row.column,
            f"{row.id} is known to have stopped at {utc(row.stopped)}: a row without a stop does not reopen it; "
            f"{remedies.reopened}",
            instance_id=row.id,
        )
        for row in refused
    ]


async def _keep_refused(connection: AsyncConnection, options: ImportOptions) -> list[RowFault]:
    given = {"correct": options.correct, "default_class": DEFAULT_CLASS}
    rows = await connection.execute(statement("usage/instances", "keep_refused"), given)
    return [RowFault(row.line, row.column, _kept(row, options.remedies), instance_id=row.id) for row in rows]


def _kept(row: Row[Any], remedies: Remedies) -> str:
    if row.by_report:
        return f"{row.id} cannot change: invoiced as {row.known or 'empty'}; the rest of the row is taken"
    return (
        f"{row.id} is known with {row.column} {row.known or 'empty'}, not {row.given or 'empty'}: the rest of the row "
        f"is taken; {remedies.changed}"
    )


async def _store_runs(connection: AsyncConnection) -> list[str]:
    """Store the rows of instances that run more than once. Returns those that changed."""
    rows = (await connection.execute(statement("usage/instances", "take_runs"))).all()
    if not rows:
        return []
    known = await known_instances(connection, [row.id for row in rows])
    folded = {}
    for row in rows:
        before = known[row.id] if row.restarts else known[row.id].given_to(row.attribution_id)
        # The row is what is known last: it comes after everything before it.
        newest = fact(_LATEST, "", FactKind.ROW, {name: getattr(row, name) for name in COLUMNS})
        folded[row.id] = fold([*known_facts(before.state, before.earlier_runs), newest])
    return await write_folded(connection, folded, known, timed=False)
