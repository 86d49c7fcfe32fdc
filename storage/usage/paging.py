"""Storing rows page by page, as a source reports them: facts at once, other rows when all of them are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.usage.rows import ImportOptions, InstanceRow
from storage.postgres.statements import statement
from storage.usage.facts import store_facts, take_facts
from storage.usage.instances import begin_batch
from storage.usage.results import UpsertResult
from storage.usage.staging import InstanceStaging


async def store_page(staging: InstanceStaging, rows: Sequence[InstanceRow], options: ImportOptions) -> UpsertResult:
    """Store the page's rows that have an update time, within the caller's transaction; the others stay staged.

    Rows without an update time are compared with each other before any is stored: `store_staged`, at the end.
    """
    connection = staging.connection
    await begin_batch(connection)
    faults = await staging.put(rows, options)
    if all(row.updated_at is None for row in rows):
        return UpsertResult(0, 0, 0, faults, {})
    repeated = await staging.drop_repeated_facts()
    since: datetime = (await connection.execute(statement("usage/instances", "now"))).scalar_one()
    taken, _ = await take_facts(connection, 0, len(rows), options.source)
    result = await store_facts(connection, taken, options, since)
    await staging.forget_facts()
    return replace(result, faults=[*faults, *result.faults], repeated=repeated)
