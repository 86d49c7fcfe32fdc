"""What storing rows of usage resulted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.rows import RowFault
from storage.usage.misbilled import MisbilledUsage, misbilled_instances


@dataclass(frozen=True)
class Doubt:
    """Facts about an instance that were merged, but that a person should check, and why."""

    instance_id: str
    reason: str


@dataclass(frozen=True)
class UpsertResult:
    """The result of storing rows.

    `inserted`, `updated`, `unchanged`, `stale`, `repeated` and the rows that were refused as a whole add up to them. A
    row of which a part was refused is in `faults` and counted as well. `stale`: facts that are older than the newest.
    `misbilled`: by instance, what is billed otherwise than it ran, as now stored. `repeated`: rows of an instance that
    another row counts for.
    """

    inserted: int
    updated: int
    unchanged: int
    faults: list[RowFault]
    misbilled: dict[str, list[MisbilledUsage]]
    repeated: int = 0
    stale: int = 0
    doubts: list[Doubt] = field(default_factory=list)


async def misbilled_by_instance(connection: AsyncConnection, changed: Sequence[str]) -> dict[str, list[MisbilledUsage]]:
    """Return what is billed otherwise than it ran, of these instances, by instance."""
    found: dict[str, list[MisbilledUsage]] = {}
    for usage in await misbilled_instances(connection, changed):
        found.setdefault(usage.instance_id, []).append(usage)
    return found
