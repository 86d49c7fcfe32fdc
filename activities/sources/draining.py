"""Storing what the API has accepted: all the time, and at once when a bill is about to be made."""

from __future__ import annotations

import asyncio
import logging
import time

from temporalio import activity

from activities.step import step
from contracts.messages.sources import ArrivalsDrained, DrainArrivals
from contracts.names import Activities
from storage.arrivals.details import WAIT, StoredDetails, store_all
from storage.arrivals.pending import FoldedBatch, fold_all
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.refusals import retrying

logger = logging.getLogger("perdure.sources")

# Polling costs one index lookup. NOTIFY would let all commits of the API wait for each other, because PostgreSQL
# delivers notifications in the order of commits, and LISTEN would hold a connection.
_IDLE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


class DrainActivities:
    """Stores what is pending."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.DRAIN_ARRIVALS)
    async def drain(self, _wanted: DrainArrivals) -> ArrivalsDrained:
        """Fold all that was accepted before this began. Whatever folds at the same time counts what it folds itself."""
        async with step():
            facts, refused = 0, 0
            instances: set[str] = set()
            async for batch in fold_all(self._db):
                _report(batch)
                facts += batch.facts
                refused += len(batch.faults)
                instances |= batch.instances
            async for stored in store_all(self._db, waiting=True):
                _report_waiting(stored)
            return ArrivalsDrained(facts=facts, instances=len(instances), refused=refused)


async def drain_forever(db: Database) -> None:
    """Fold usage and store details of customers as the API accepts them, within a second when idle, until canceled.

    While the database is away it asks again, at most 30 seconds apart: what is pending stays pending.
    """
    pause, tried = _IDLE_SECONDS, float("-inf")
    while True:
        try:
            with retrying("store what is pending"):
                async for batch in fold_all(db):
                    _report(batch)
                waiting = time.monotonic() - tried > WAIT.total_seconds()
                tried = time.monotonic() if waiting else tried
                async for stored in store_all(db, waiting=waiting):
                    _report_waiting(stored)
            pause = _IDLE_SECONDS
        except DatabaseUnavailableError as error:
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            logger.error("what the API accepted stays pending, the next attempt is in %.0f s: %s", pause, error)
        await asyncio.sleep(pause)


def _report(batch: FoldedBatch) -> None:
    for fault in batch.faults:
        logger.warning("refused a fact of %s: %s: %s", fault.source, fault.column, fault.reason)
    for usage in (each for several in batch.misbilled.values() for each in several):
        logger.warning("%s: misbilled by %s: %s", usage.instance_id, usage.invoice_key, usage.reason)


def _report_waiting(stored: StoredDetails) -> None:
    for attribution_id in stored.waiting:
        logger.warning("there is no account %s yet: the details of its customer wait for it", attribution_id)
