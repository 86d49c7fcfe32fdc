"""PostgreSQL settings for statements over whole pages of rows."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.postgres.statements import statement


async def tune(connection: AsyncConnection) -> None:
    """Have the transaction's statements planned for their parameters, and not compiled."""
    await connection.execute(statement("postgres/tuning", "tune"))
