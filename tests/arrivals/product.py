"""A second PostgreSQL database, as a product has it that Perdure reads usage from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sources.config import SqlSource
from sources.urls import SourceUrl

QUERY = (
    "SELECT id, attribution_id, workspace_class, started_time, stopping_time, updated_at FROM instance "
    "WHERE updated_at >= :since ORDER BY updated_at, id"
)


@dataclass
class ProductDatabase:
    """The product's database: rows are written with their own connection, as the product would."""

    url: str
    connection: Any

    @classmethod
    async def create(cls, url: str, connection: Any) -> ProductDatabase:
        """Create the table."""
        await connection.execute(
            "CREATE TABLE instance (id text PRIMARY KEY, attribution_id text, workspace_class text, "
            "started_time timestamptz, stopping_time timestamptz, updated_at timestamptz)"
        )
        await connection.execute("CREATE INDEX ON instance (updated_at)")
        return cls(url, connection)

    async def write(
        self,
        id: str,
        started: datetime,
        stopped: datetime | None = None,
        updated: datetime | None = None,
        *,
        account: str = "team:a",
        connection: Any = None,
    ) -> None:
        """Add or change an instance."""
        await (connection or self.connection).execute(
            "INSERT INTO instance VALUES ($1, $2, 'default', $3, $4, $5) ON CONFLICT (id) DO UPDATE "
            "SET attribution_id = $2, started_time = $3, stopping_time = $4, updated_at = $5",
            *(id, account, started, stopped, updated),
        )

    async def fill(self, count: int, start: datetime, apart: timedelta = timedelta(seconds=1)) -> None:
        """Add running instances `i-0`, `i-1`..., each updated a little later than the one before."""
        rows = [(f"i-{n}", "team:a", "default", start, None, start + n * apart) for n in range(count)]
        await self.connection.copy_records_to_table("instance", records=rows)

    def source(self, **changes: Any) -> SqlSource:
        """Return the product as a source."""
        source = SqlSource(
            name="product",
            place="sources.toml: source 'product'",
            url=SourceUrl(self.url, "sources.toml: source 'product': url", Path()),
            every=timedelta(minutes=10),
            lag=timedelta(minutes=15),
            query=QUERY,
        )
        return replace(source, **changes)


def may(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return an instant in May 2022."""
    return datetime(2022, 5, day, hour, minute, tzinfo=UTC)
