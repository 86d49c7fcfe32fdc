"""What a run left behind: invoices in the database, its transactions, histories in Temporal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import asyncpg  # type: ignore[import-untyped]
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from contracts import workflow_ids

_COUNTED = 50
_SETTLED = """
SELECT array_agg(key ORDER BY key) FILTER (WHERE state IN ('billed', 'paid')) AS keys,
       extract(epoch FROM max(billed_at) - min(claimed_at))::float8 AS seconds
FROM invoice
"""
# A process tells its counts when it ends, or ten seconds after its last transaction.
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True)
class Settled:
    """The billed invoices, and the seconds from the first claim to the last settlement."""

    keys: list[str]
    seconds: float

    @property
    def invoices(self) -> int:
        """How many there are."""
        return len(self.keys)


@dataclass(frozen=True)
class HistoryCounts:
    """Medians over so many histories."""

    histories: int
    events: float
    workflow_tasks: float
    activities: float


async def settled(url: str) -> Settled:
    """Return what was billed."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(_SETTLED)
    finally:
        await connection.close()
    return Settled(row["keys"] or [], row["seconds"] or 0.0)


async def transactions(url: str) -> int:
    """Return PostgreSQL's transactions to date. The sessions of others are ended first; the product opens new ones."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_END_OTHERS)
        return int(await connection.fetchval(_TRANSACTIONS))
    finally:
        await connection.close()


async def history_counts(address: str, keys: Sequence[str]) -> HistoryCounts:
    """Count what the histories of some invoices hold."""
    client = await Client.connect(address)
    spread = keys[:: max(1, len(keys) // _COUNTED)]
    counted = await asyncio.gather(*(_count(client, key) for key in spread))
    completed, scheduled = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return HistoryCounts(
        histories=len(spread),
        events=median(sum(each.values()) for each in counted),
        workflow_tasks=median(each[completed] for each in counted),
        activities=median(each[scheduled] for each in counted),
    )


async def _count(client: Client, key: str) -> Counter[int]:
    history = await client.get_workflow_handle(workflow_ids.invoice(key)).fetch_history()
    return Counter(event.event_type for event in history.events)
