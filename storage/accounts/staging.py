"""A file of accounts in a temporary table, from which all rows of an account are read at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.details import DETAILS, CustomerDetails
from billing.usage.rows import AccountRow
from storage.accounts.details import details_columns
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement

_COLUMNS = ("line", "attribution_id", "stripe_customer_id", "currency", "bill_after", "started", "ended", "kind")


class AccountStaging:
    """The rows of one file, in a temporary table of one connection: memory does not grow with them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, rows: Sequence[AccountRow]) -> None:
        """Add rows of the file, in its order."""
        columns: dict[str, list[object]] = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
        columns["missing"] = [" ".join(sorted(row.missing)) for row in rows]
        columns.update(details_columns([row.details for row in rows]))
        async with self._connection.begin():
            await self._connection.execute(statement("accounts/staging", "add"), columns)

    async def batches(self, accounts: int) -> AsyncIterator[list[AccountRow]]:
        """Yield the rows of the file by batches of so many accounts, each account's rows in one batch."""
        async with self._connection.begin():
            await self._connection.execute(statement("accounts/staging", "index"))
            await self._connection.execute(statement("accounts/staging", "analyze"))
        after = ""
        while batch := await self._next(after, accounts):
            yield batch
            after = max(row.attribution_id for row in batch)

    async def _next(self, after: str, accounts: int) -> list[AccountRow]:
        async with self._connection.begin():
            found = await self._connection.execute(
                statement("accounts/staging", "next"), {"after": after, "accounts": accounts}
            )
            return [_row(row) for row in found.mappings()]


def _row(row: RowMapping) -> AccountRow:
    details = CustomerDetails(**{name: row[name] for name in DETAILS})
    return AccountRow(**{name: row[name] for name in _COLUMNS}, missing=frozenset(row["missing"]), details=details)


@asynccontextmanager
async def staged_accounts(db: Database) -> AsyncIterator[AccountStaging]:
    """Yield an empty staging.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, drops the connection, or has another schema.
    """
    async with db.connection() as connection:
        async with connection.begin():
            await require_known_revision(connection)
            # A file that failed can have left its table to the connection.
            await connection.execute(statement("accounts/staging", "drop"))
            await connection.execute(statement("accounts/staging", "create"))
        yield AccountStaging(connection)
        async with connection.begin():
            await connection.execute(statement("accounts/staging", "drop"))
