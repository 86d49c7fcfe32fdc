"""Storing facts: rows with an update time are kept, and the instances they are about are folded again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.facts import Fact, FactKind
from billing.usage.fold import Folded, fold, known_facts
from billing.usage.rows import ImportOptions, RowFault
from storage.postgres.statements import statement
from storage.usage.folding import KnownInstance, known_instances, write_folded
from storage.usage.results import Doubt, UpsertResult, misbilled_by_instance


async def create_facts(connection: AsyncConnection) -> None:
    """Create the empty temporary table `new_fact`, which `store_facts` drops."""
    await connection.execute(statement("usage/facts", "create_facts"))


async def take_facts(connection: AsyncConnection, after: int, most: int, source: str) -> tuple[int, int]:
    """Fill `new_fact` with the next facts of a file. Returns their number and the position of the last."""
    await create_facts(connection)
    await connection.execute(statement("usage/facts", "fill_facts"), {"after": after, "size": most, "source": source})
    await connection.execute(statement("usage/facts", "analyze_facts"))
    taken = (await connection.execute(statement("usage/facts", "measure_facts"))).one()
    return taken.rows, taken.last


async def store_facts(connection: AsyncConnection, rows: int, options: ImportOptions, since: datetime) -> UpsertResult:
    """Store the batch of facts in `new_fact`, and fold their instances. `since`: when the import began."""
    known = 0 if options.correct else (await connection.execute(statement("usage/facts", "drop_known"))).rowcount
    if not options.dry_run:
        await connection.execute(statement("usage/facts", "lock_accounts"))
    faults = [] if rows == 0 else await _refuse_invoiced(connection, correct=options.correct)
    if options.correct:
        await connection.execute(statement("usage/facts", "replace_facts"), {"since": since})
        await connection.execute(statement("usage/facts", "insert_again"))
    else:
        await connection.execute(statement("usage/facts", "insert_facts"))
    inserted: int = (await connection.execute(statement("usage/facts", "insert_fresh"))).scalar_one()
    stale = (await connection.execute(statement("usage/facts", "count_stale"))).scalar_one()
    if not options.correct:
        await connection.execute(statement("usage/facts", "touch"))
    ids = list((await connection.execute(statement("usage/facts", "ids"))).scalars())
    before, folded = await _fold(connection, ids, correct=options.correct)
    changed = await write_folded(connection, folded, before, timed=True) if folded else []
    inserted += len(folded.keys() - before.keys())
    await connection.execute(statement("usage/facts", "drop_facts"))
    stale = 0 if options.correct else stale
    return UpsertResult(
        inserted=inserted,
        updated=rows - len(faults) - known - stale - inserted,
        unchanged=known,
        faults=faults,
        misbilled=await misbilled_by_instance(connection, changed),
        stale=stale,
        doubts=[doubt for key, each in folded.items() for doubt in _doubts(key, each)],
    )


async def _refuse_invoiced(connection: AsyncConnection, *, correct: bool) -> list[RowFault]:
    refused = await connection.execute(statement("usage/facts", "refuse_invoiced"), {"correct": correct})
    return [
        RowFault(
            row.line, row.column, f"{row.id} cannot change: invoiced as {row.known or 'empty'}", instance_id=row.id
        )
        for row in refused
    ]


async def _fold(
    connection: AsyncConnection, ids: Sequence[str], *, correct: bool
) -> tuple[dict[str, KnownInstance], dict[str, Folded]]:
    """Return these instances as they are stored, and as their facts have them now."""
    if not ids:
        return {}, {}
    before = await known_instances(connection, ids)
    if not correct:
        await _add_known(connection, {key: each for key, each in before.items() if each.last_sign is None})
    rows = await connection.execute(statement("usage/facts", "facts_of"), {"ids": list(ids)})
    return before, {
        key: fold(Fact(row.at, row.source, FactKind(row.kind), row.content) for row in group)
        for key, group in groupby(rows.all(), attrgetter("instance_id"))
    }


async def _add_known(connection: AsyncConnection, untimed: dict[str, KnownInstance]) -> None:
    facts = [(key, fact) for key, each in untimed.items() for fact in known_facts(each.state, each.earlier_runs)]
    if facts:
        await connection.execute(
            statement("usage/facts", "add_known"),
            {
                "ids": [key for key, _ in facts],
                "at": [fact.at for _, fact in facts],
                "sources": [fact.source for _, fact in facts],
                "digests": [fact.digest for _, fact in facts],
                "kinds": [str(fact.kind) for _, fact in facts],
                "contents": [fact.content for _, fact in facts],
            },
        )


def _doubts(instance_id: str, folded: Folded) -> list[Doubt]:
    found = [Doubt(instance_id, f"facts of {at.isoformat()} differ") for at in folded.differing]
    if len(folded.sources) > 1:
        found.append(Doubt(instance_id, f"several sources report it: {', '.join(folded.sources)}"))
    return found
