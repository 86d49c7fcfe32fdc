"""Asking for a source's usage, on behalf of what bills it."""

from __future__ import annotations

from temporalio import activity
from temporalio.client import Client

from activities.step import step
from contracts.messages.sources import SourceInput, SourceRead, SyncSource
from contracts.names import Activities
from storage.arrivals.sources import load_source
from storage.postgres.database import Database
from temporal.sources import sync_source


class SourceRequestActivities:
    """Asks the workflows of sources; of `sources.toml` and its secrets this process knows nothing."""

    def __init__(self, db: Database, client: Client) -> None:
        self._db = db
        self._client = client

    @activity.defn(name=Activities.SYNC_SOURCE)
    async def sync_source(self, ask: SyncSource) -> SourceRead:
        """Have a source read now, and wait for what the attempt resulted in. Attempts of this activity ask once.

        A source that was removed is not read: its workflow would have nothing to read for ever.

        Raises:
            ApplicationError: non-retryable if Postgres knows no such source.
        """
        async with step():
            source = await load_source(self._db, ask.name)
            if source.removed_at is not None:
                return SourceRead(name=source.name, started_at=source.removed_at, removed=True)
            info = activity.info()
            update_id = f"{info.workflow_id}/{info.workflow_run_id}/{info.activity_id}"
            return await sync_source(self._client, SourceInput(name=source.name, every=source.every), ask, update_id)
