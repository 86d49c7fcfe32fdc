"""Fold what the API accepts, as the sources' worker does, in a process of its own: `-m bench.arrivals.fold URL`."""

from __future__ import annotations

import asyncio
import sys

from activities.sources.draining import drain_forever
from storage.postgres.database import Database

if __name__ == "__main__":
    asyncio.run(drain_forever(Database(sys.argv[1])))
