"""The objects of a source of files that were read: each once, by path, ETag and the source's definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.database import Database
from storage.postgres.statements import statement


async def unread_objects(
    db: Database, source: str, definition: str, listed: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return those of the objects, by path and ETag, that were not read by this definition yet, in their order."""
    async with db.transaction(read_only=True) as connection:
        given = {
            "source": source,
            "definition": definition,
            "paths": [path for path, _ in listed],
            "etags": [etag for _, etag in listed],
        }
        rows = await connection.execute(statement("arrivals/objects", "unread"), given)
        return [(row.path, row.etag) for row in rows]


@dataclass(frozen=True)
class ReadObject:
    """An object that was read to its end by a definition of its source."""

    path: str
    etag: str
    definition: str
    rows: int
    refused: int


async def add_object(connection: AsyncConnection, source: str, read: ReadObject) -> None:
    """Record that an object was read, within the caller's transaction."""
    given = {"source": source, **asdict(read)}
    await connection.execute(statement("arrivals/objects", "add"), given)
