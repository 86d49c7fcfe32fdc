"""One read of a source in a separate process, to measure it alone: `-m bench.arrivals.source_run URL SOURCES NAME`."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.sources.catalog import SourceCatalog
from activities.sources.reading import SourceActivities
from contracts.messages.sources import ReadSource
from storage.postgres.database import Database


@dataclass(frozen=True)
class SourceRun:
    """What a read found and cost: seconds, CPU seconds of this process, and its peak resident memory in MiB."""

    rows: int
    new: int
    seconds: float
    cpu: float
    peak_mib: float


async def read(url: str, sources: Path, name: str) -> SourceRun:
    """Read the source once, by the product's own activity, into the database at `url`."""
    database = Database(url)
    try:
        activities = SourceActivities(database, SourceCatalog(sources))
        started, cpu = time.perf_counter(), time.process_time()
        found = await ActivityEnvironment().run(activities.read_source, ReadSource(name=name))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    finally:
        await database.close()
    if found.error or found.refused:
        raise RuntimeError(f"{name}: {found.error or found.faults}")
    return SourceRun(found.rows, found.new, seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Read and print what it cost as JSON."""
    url, sources, name = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(read(url, Path(sources), name)))))


if __name__ == "__main__":
    main()
