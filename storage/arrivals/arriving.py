"""Whether usage arrives by itself, so that the worker of the queue `sources` must run."""

from __future__ import annotations

from storage.postgres.database import Database
from storage.postgres.statements import statement


async def usage_arrives(db: Database) -> bool:
    """Return whether there are sources, valid tokens by which the API takes usage, or usage that is not stored yet."""
    async with db.transaction(read_only=True) as connection:
        return bool((await connection.execute(statement("arrivals/arriving", "arrives"))).scalar_one())
