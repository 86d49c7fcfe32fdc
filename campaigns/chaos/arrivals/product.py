"""A product's own PostgreSQL database: a table of changes, written in transactions that commit in any order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from campaigns.chaos.arrivals.messages import Reported, columns, instant, reported_together
from campaigns.chaos.histories import CALM_WAVES, DAY, MINUTE, STORM_WAVES, ChaosRow
from campaigns.chaos.world import ChaosWorld

SOURCE = "product"
DATABASE_URL = "PRODUCT_DATABASE_URL"
"""The variable with the secret, in the sources' worker alone."""
_LONGEST_TRANSACTION_SECONDS = 0.5
_BAD = 4
_NAMES = (
    "id attribution_id workspace_id project_id owner_id workspace_class workspace_type creation_time started_time "
    "stopping_time stopped_time quantity updated_at"
).split()
_TABLE = """
CREATE TABLE change (
    id text, attribution_id text, workspace_id text, project_id text, owner_id text, workspace_class text,
    workspace_type text, creation_time timestamptz, started_time timestamptz, stopping_time timestamptz,
    stopped_time timestamptz, quantity numeric, updated_at timestamptz, place int,
    PRIMARY KEY (id, place)
);
CREATE INDEX ON change (updated_at);
"""
_ADD = f"INSERT INTO change VALUES ({', '.join(f'${n}' for n in range(1, 15))}) ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class ProductSide:
    """Writes what a query reports. Rows that must be refused are among them, some of which are corrected later."""

    url: str
    world: ChaosWorld

    async def create(self) -> None:
        """Create the table."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(_TABLE)
        finally:
            await connection.close()

    def transactions(self, wave: int, rng: random.Random) -> list[list[tuple[Any, ...]]]:
        """Return the rows of each transaction of a wave, in a random order.

        Of the calm's rows those come first that a correction follows, and all others together with the corrections.
        """
        made = []
        for reported in reported_together(self.world, CALM_WAVES[0] if wave in CALM_WAVES else wave, ("query",)):
            if wave in CALM_WAVES and _is_corrected(reported) != (wave == CALM_WAVES[0]):
                continue
            rows = [(*columns(each, row).values(), each.rows.index(row)) for each, row in reported]
            made.append(rng.sample(rows, len(rows)))
        if not self.world.has_source:
            return made
        if wave == 0:
            made.append([self._extra(number, self.world.start + DAY, fits=False) for number in range(_BAD)])
        if wave == CALM_WAVES[1]:
            made.append([self._extra(number, self.world.following_end, fits=True) for number in range(0, _BAD, 2)])
        return rng.sample(made, len(made))

    async def write(self, rows: list[tuple[Any, ...]], rng: random.Random) -> None:
        """Write rows in a transaction that commits when it wants to. Written again, they change nothing.

        Raises:
            One of DATABASE_ERRORS: the database is away, or went away; nobody knows whether it has committed.
        """
        connection = await asyncpg.connect(self.url, timeout=5)
        try:
            async with connection.transaction():
                await connection.executemany(_ADD, rows)
                await asyncio.sleep(rng.uniform(0, _LONGEST_TRANSACTION_SECONDS))
        finally:
            connection.terminate()

    def write_config(self, path: Path) -> None:
        """Write `sources.toml`, with the shortest overlap that suffices for what commits late."""
        path.write_text(
            f'[[source]]\nname = "{SOURCE}"\nkind = "sql"\nurl = "env:{DATABASE_URL}"\nevery = "5s"\n'
            f'overlap = "{self._overlap() // MINUTE + 1}m"\n'
            f'query = "SELECT {", ".join(_NAMES)} FROM change WHERE updated_at >= :since ORDER BY updated_at, id"\n'
        )

    def refused(self) -> set[str]:
        """Return the instances whose last row must be refused."""
        return {f"bad-{number}" for number in range(1, _BAD, 2) if self.world.has_source}

    def corrected(self) -> list[tuple[str, int]]:
        """Return the instances whose first row had to be refused, with the instant of the good one."""
        fixed = range(0, _BAD, 2) if self.world.has_source else ()
        return [(f"bad-{number}", self.world.following_end) for number in fixed]

    def _overlap(self) -> int:
        """Return how far a row can lie before the rows that were written earlier. Storm waves come in any order."""
        rows: Sequence[ChaosRow] = [
            row for each in self.world.instances if each.way == "query" for row in each.rows if row.wave < CALM_WAVES[1]
        ]
        storm = [row.at or 0 for row in rows if row.wave in STORM_WAVES]
        calm = [row.at or 0 for row in rows if row.wave in CALM_WAVES]
        until_storm = [row.at or 0 for row in rows if row.wave not in CALM_WAVES]
        of_storm = max(until_storm) - min(storm) if storm else 0
        latest = max([self.world.following_end, *until_storm, *calm])
        return max(of_storm, latest - min([self.world.following_end, *calm]))

    def _extra(self, number: int, at: int, *, fits: bool) -> tuple[Any, ...]:
        """Return a row of an instance that nobody pays for; without `fits` its start stands for "not set"."""
        start = instant(self.world.start if fits else 0)
        names = (f"bad-{number}", "team:nobody", f"w-{number}", "p", "user:u", "default", "regular")
        return (*names, instant(self.world.start), start, None, None, None, instant(at), int(fits))


def _is_corrected(reported: list[Reported]) -> bool:
    return any(row.wave == CALM_WAVES[1] for each, _ in reported for row in each.rows)
