"""From when a running instance that says nothing any more counts as silent: what follows is not billed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Silence:
    """When an instance without a stop counts as silent; None is never. Both are functions of facts and cutoff alone.

    `stale_after`: its last sign is older than this; `api_stale_after` counts instead if the sign came over the API, and
    what `sources.toml` says of a source if it came from that. `max_instance_age`: it started longer ago than this, and
    has given no later sign. The SQL function `silent_from` computes the instant.
    """

    stale_after: timedelta | None = None
    api_stale_after: timedelta | None = None
    max_instance_age: timedelta | None = None


NEVER_SILENT = Silence()
