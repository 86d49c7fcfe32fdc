"""The objects of a source of files that were read: each once, by path and ETag."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.database import Database
from storage.postgres.statements import statement


async def unread_objects(db: Database, source: str, listed: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of the objects, by path and ETag, that were not read yet, in their order."""
    async with db.transaction(read_only=True) as connection:
        given = {"source": source, "paths": [path for path, _ in listed], "etags": [etag for _, etag in listed]}
        rows = await connection.execute(statement("arrivals/objects", "unread"), given)
        return [(row.path, row.etag) for row in rows]


async def add_object(connection: AsyncConnection, source: str, path: str, etag: str, rows: int, refused: int) -> None:
    """Record that an object was read to its end, within the caller's transaction."""
    given = {"source": source, "path": path, "etag": etag, "rows": rows, "refused": refused}
    await connection.execute(statement("arrivals/objects", "add"), given)
