"""COPY: the cheapest way to bring many rows into a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection


async def copy_rows(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Copy rows, with the values of these columns in their order, into a table.

    Raises:
        DBAPIError: the database refuses a row, and then takes none of them, or is lost, as of any statement.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await raw.copy_records_to_table(table, records=rows, columns=columns)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise DBAPIError("COPY", None, error, connection_invalidated=raw.is_closed()) from error
