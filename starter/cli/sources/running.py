"""Keeping a workflow running for each source that sources.toml names, and ending those of the others."""

from __future__ import annotations

from dataclasses import dataclass, field

from temporalio.client import Client

from activities.sources.catalog import SourceCatalog, terms_of
from contracts.messages.sources import SourceInput
from settings import Settings
from starter.cli.database import open_database
from storage.arrivals.sources import list_sources, register_sources, remove_sources
from temporal.sources import end_source, start_sources


@dataclass(frozen=True)
class KeptSources:
    """The sources that are read from now on, and those that no longer are."""

    read: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


async def keep_sources(settings: Settings, temporal: Client) -> KeptSources:
    """Start a workflow for each source of sources.toml, and end those that it no longer names.

    Without the file nothing changes: perhaps another machine has it.

    Raises:
        InputError: sources.toml is wrong.
        SettingsError: there are sources, and DATABASE_URL is not set.
    """
    catalog = SourceCatalog(settings.sources)
    if not catalog.exists:
        return KeptSources()
    found = catalog.sources()
    names = [source.name for source in found]
    async with open_database(settings) as db:
        gone = [state for state in await list_sources(db, removed=True) if state.name not in names]
        ended = [state.name for state in gone if state.removed_at is None]
        # First, so that a period that waits for one does not start its workflow again.
        await remove_sources(db, ended)
        for state in gone:
            await end_source(temporal, state.name)
        await register_sources(db, terms_of(found))
    await start_sources(temporal, [SourceInput(name=source.name, every=source.every) for source in found])
    return KeptSources(names, ended)
