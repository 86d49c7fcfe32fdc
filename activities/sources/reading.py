"""The activity that reads a source, and what it says about it: in Postgres, in the log, in the metrics."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from temporalio import activity

from activities.sources.catalog import AnySource, SourceCatalog, terms_of
from activities.sources.reads import ReadReport, read
from activities.step import step
from billing.errors import InputError
from contracts import retries
from contracts.messages.sources import ReadSource, SourceRead
from contracts.names import Activities
from sources.errors import SourceError
from storage.arrivals.sources import record_failure, register_sources
from storage.postgres.database import Database

logger = logging.getLogger("perdure.sources")

ROWS_METRIC = "perdure_source_rows"
LAG_METRIC = "perdure_source_lag_seconds"
FAILING_METRIC = "perdure_source_failing_seconds"


class SourceActivities:
    """Reads sources, and stores what they report."""

    def __init__(self, db: Database, catalog: SourceCatalog) -> None:
        self._db = db
        self._catalog = catalog

    @activity.defn(name=Activities.READ_SOURCE)
    async def read_source(self, ask: ReadSource) -> SourceRead:
        """Read a source once. A failure is recorded and returned as `error`, after a few quick attempts if they help.

        Raises:
            SourceError: the connection failed; Temporal tries again at once.
        """
        started_at = datetime.now(UTC)
        source: AnySource | None = None
        async with step():
            try:
                source = self._catalog.find(ask.name)
                await register_sources(self._db, terms_of([source]))
                report = await read(self._db, source, ask.since, started_at)
            except SourceError as error:
                if error.transient and activity.info().attempt < retries.SOURCE_READ.maximum_attempts:
                    raise
                return await self._failed(ask.name, source, started_at, str(error))
            except InputError as error:
                return await self._failed(ask.name, source, started_at, str(error))
        return _succeeded(source, started_at, report)

    async def _failed(self, name: str, source: AnySource | None, started_at: datetime, error: str) -> SourceRead:
        complete_up_to, failing_since = await record_failure(self._db, name, error, started_at)
        began = failing_since == started_at  # it is said once, and each further attempt only at DEBUG
        logger.log(logging.ERROR if began else logging.DEBUG, "source failing", extra={"source": name, "error": error})
        _measure(name, complete_up_to, failing_since)
        return SourceRead(
            name=name,
            started_at=started_at,
            complete_up_to=complete_up_to,
            error=error,
            failing_since=failing_since,
            every=source.every if source else None,
        )


def _succeeded(source: AnySource, started_at: datetime, report: ReadReport) -> SourceRead:
    tally = report.tally
    read_up_to = {"source": source.name, "complete_up_to": report.complete_up_to}
    if report.failing_since is not None:
        logger.info("source recovered", extra={**read_up_to, "failing_since": report.failing_since})
    counts = {"rows": tally.rows, "new": tally.new, "stale": tally.stale, "refused": tally.refused}
    logger.info("source read", extra={**read_up_to, **counts})
    activity.metric_meter().create_counter(ROWS_METRIC, "Rows read, by source").add(tally.rows, {"source": source.name})
    _measure(source.name, report.complete_up_to, None)
    return SourceRead(
        name=source.name,
        started_at=started_at,
        rows=tally.rows,
        new=tally.new,
        stale=tally.stale,
        refused=tally.refused,
        misbilled=tally.misbilled,
        complete_up_to=report.complete_up_to,
        every=source.every,
        faults=tally.faults,
        notes=[*report.notes, *tally.doubts],
    )


def _measure(name: str, complete_up_to: datetime | None, failing_since: datetime | None) -> None:
    meter, now = activity.metric_meter(), datetime.now(UTC)
    if complete_up_to is not None:
        lag = meter.create_gauge_float(LAG_METRIC, "Seconds since the instant up to which a source is complete")
        lag.set((now - complete_up_to).total_seconds(), {"source": name})
    failing = meter.create_gauge_float(FAILING_METRIC, "Seconds since a source's first failure; 0 while it is read")
    failing.set((now - failing_since).total_seconds() if failing_since else 0.0, {"source": name})
