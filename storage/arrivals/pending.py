"""Folding what the API has accepted: pending facts become facts of their instances, in the order of acceptance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.events import OWN_SOURCES
from billing.usage.facts import COLUMNS
from billing.usage.rows import ImportOptions
from storage.arrivals.faults import Refusal, keep_faults, remove_faults
from storage.postgres.database import Database
from storage.postgres.refusals import refusal, retrying
from storage.postgres.statements import statement
from storage.usage.facts import create_facts, store_facts
from storage.usage.instances import begin_batch
from storage.usage.misbilled import MisbilledUsage

BATCH = 5000
"""The pending facts that one transaction folds at most."""


@dataclass(frozen=True)
class PendingFault:
    """A pending fact that was refused: its source and instance, the column, and a reason for people."""

    source: str
    instance_id: str
    column: str
    reason: str


@dataclass(frozen=True)
class FoldedBatch:
    """What one transaction folded.

    `facts` were pending, of which `faults` were refused and are kept as faults of their source. `misbilled`: by
    instance, what is billed otherwise than it ran, as now stored.
    """

    facts: int
    instances: frozenset[str] = frozenset()
    faults: Sequence[PendingFault] = ()
    misbilled: dict[str, list[MisbilledUsage]] = field(default_factory=dict)


async def last_pending(db: Database) -> int | None:
    """Return the position of the last pending fact. None if nothing is pending."""
    async with db.transaction(read_only=True) as connection:
        last: int | None = (await connection.execute(statement("arrivals/pending", "last"))).scalar_one()
        return last


async def fold_all(db: Database, most: int = BATCH) -> AsyncIterator[FoldedBatch]:
    """Fold all that is pending now, and yield each batch after its transaction.

    Raises:
        DatabaseUnavailableError: the batches before are folded; the rest stays pending.
    """
    upto = await last_pending(db)
    while upto is not None:
        batch = await fold_pending(db, upto, most)
        if not batch.facts:
            return
        yield batch


async def fold_pending(db: Database, upto: int, most: int = BATCH) -> FoldedBatch:
    """Fold the next pending facts up to a position, in one transaction.

    It waits for imports, and locks the accounts that pay, or paid, for the instances. A fact that the database refuses
    stops no other: fewer facts are folded at a time until it is found.

    Raises:
        DatabaseUnavailableError: nothing was folded.
    """
    try:
        with retrying("fold"):
            return await _fold(db, 0, upto, most)
    except DBAPIError:
        return await (fold_pending(db, upto, most // 2) if most > 1 else _fold_first(db, upto))


async def _fold_first(db: Database, upto: int) -> FoldedBatch:
    """Fold the first pending fact, or keep it as a fault if the database refuses it."""
    async with db.transaction(read_only=True) as connection:
        first = (await connection.execute(statement("arrivals/pending", "first"), {"upto": upto})).scalar_one()
    if first is None:
        return FoldedBatch(0)
    try:
        with retrying("fold"):
            return await _fold(db, first, first, 1)
    except DBAPIError as error:
        return await _give_up(db, first, refusal(error))


async def _fold(db: Database, since: int, upto: int, most: int) -> FoldedBatch:
    async with db.transaction() as connection:
        await begin_batch(connection)
        await create_facts(connection)
        given = {"since": since, "upto": upto, "most": most, "columns": list(COLUMNS)}
        count = (await connection.execute(statement("arrivals/pending", "take"), given)).rowcount
        if not count:
            return FoldedBatch(0)
        for name in ("drop_earlier_signs", "drop_repeated", "analyze"):
            await connection.execute(statement("arrivals/pending", name))
        taken = (await connection.execute(statement("arrivals/pending", "taken"))).all()
        corrects, received_at = taken[0].corrects, taken[0].received_at
        stored = await _store(connection, taken, ImportOptions(correct=corrects), received_at)
        return FoldedBatch(count, *stored)


async def _store(
    connection: AsyncConnection, taken: Sequence[Row[Any]], options: ImportOptions, received_at: datetime
) -> tuple[frozenset[str], list[PendingFault], dict[str, list[MisbilledUsage]]]:
    result = await store_facts(connection, len(taken), options, received_at)
    signs = sorted({row.id for row in taken if row.kind == "alive"})
    if signs:
        await connection.execute(statement("arrivals/pending", "drop_stored_signs"), {"ids": signs})
    refused = {fault.line: fault for fault in result.faults}
    faults = [
        PendingFault(_sender(row.source), row.id, refused[row.line].column, refused[row.line].reason)
        for row in taken
        if row.line in refused
    ]
    good = [(_sender(row.source), row.id) for row in taken if row.line not in refused]
    for source, pairs in groupby(sorted(good), itemgetter(0)):
        await remove_faults(connection, source, {subject for _, subject in pairs})
    await _keep(connection, faults)
    return frozenset(row.id for row in taken), faults, result.misbilled


async def _give_up(db: Database, position: int, reason: str) -> FoldedBatch:
    async with db.transaction() as connection:
        given = (await connection.execute(statement("arrivals/pending", "give_up"), {"position": position})).all()
        faults = [PendingFault(_sender(row.source), row.instance_id, "row", reason) for row in given]
        await _keep(connection, faults)
    return FoldedBatch(len(given), faults=faults)


async def _keep(connection: AsyncConnection, faults: Sequence[PendingFault]) -> None:
    for source, group in groupby(sorted(faults, key=attrgetter("source")), attrgetter("source")):
        refusals = [Refusal(each.instance_id, each.column, each.reason, line=0) for each in group]
        await keep_faults(connection, source, refusals)


def _sender(source: str) -> str:
    """Return the name by which the faults of a source of events or rows are kept: no source of ours has it."""
    return source if source.startswith(OWN_SOURCES) else f"{OWN_SOURCES}{source}"
