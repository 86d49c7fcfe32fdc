"""The connection pool, and the errors of an unreachable or unprepared database."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from billing.errors import InputError, UnavailableError

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
# Parameters of libpq alone: asyncpg would send them to the server as settings.
_LIBPQ_ONLY = frozenset(["channel_binding", "connect_timeout", "gssencmode", "keepalives"])
_CONNECT_TIMEOUT_SECONDS = 15.0
_NO_TABLE_OR_COLUMN = frozenset(["42P01", "42703"])
_NO_RIGHT = "42501"
_CANCELED = "57014"
_MIGRATE = "run `perdure db upgrade`"
_LACKS_RIGHTS = "this login lacks rights to Perdure's tables, or DATABASE_URL names another role"
# Every role may read the revision, and none of the rest alike.
_PREPARED = """
    SELECT to_regclass('claim') IS NOT NULL,
        coalesce(has_table_privilege(to_regclass('alembic_version'), 'SELECT'), false)
"""


class DatabaseUnavailableError(UnavailableError):
    """The database cannot be reached, or lacks the tables: retry later, or run `perdure db upgrade`."""


class DatabaseUnpreparedError(DatabaseUnavailableError):
    """The database lacks tables, or this login lacks rights to them: run `perdure db upgrade`."""


class DatabaseTooSlowError(DatabaseUnavailableError):
    """A statement took longer than this pool allows, and the server ended it."""


class Database:
    """A pool of connections to one PostgreSQL database; it belongs to the event loop that first uses it."""

    def __init__(self, url: str, pool_size: int = 10, statement_timeout: timedelta | None = None) -> None:
        """Create the pool, without connecting yet.

        Args:
            url: `postgresql://user:password@host:port/name`, with libpq's parameters such as `sslmode`.
            pool_size: the maximum number of connections.
            statement_timeout: after which the server ends a statement, which then counts as unavailable.

        Raises:
            InputError: this is not a PostgreSQL URL.
        """
        self._url = url
        self._dsn, self.place = _parse_url(url)
        milliseconds = None if statement_timeout is None else round(statement_timeout.total_seconds() * 1000)
        self._server_settings = {} if milliseconds is None else {"statement_timeout": str(milliseconds)}
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=pool_size,
            max_overflow=0,
            # Parameters hold people's data, and an error's text goes to logs and histories.
            hide_parameters=True,
            # Every statement after a lock must see the changes that the lock waited for.
            isolation_level="READ COMMITTED",
        )

    def limited(self, statement_timeout: timedelta, pool_size: int = 1) -> Database:
        """Return another pool, whose statements the server ends after this time; close it."""
        return Database(self._url, pool_size, statement_timeout)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a transaction that commits at the end and rolls back on an error.

        With `snapshot`, all its statements see the database at one instant.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, drops the connection, or lacks the tables.
        """
        async with self.connection() as connection:
            if read_only:
                await connection.execution_options(postgresql_readonly=True)
            if snapshot:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for several transactions that share its temporary tables; the caller begins each.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, drops the connection, or lacks the tables.
        """
        try:
            async with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            unavailable = self._unavailable(error)
            _without_values(error)
            if unavailable:
                raise unavailable from error
            raise
        except PoolTimeoutError as error:
            raise DatabaseUnavailableError(
                f"all database connections are in use ({self.place}): raise DATABASE_POOL_SIZE"
            ) from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection to read by: each statement has its own snapshot, and no round trips begin and end it.

        Writes need a `transaction`: the crash tests know no other.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, drops the connection, or lacks the tables.
        """
        async with self.connection() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @property
    def silence(self) -> str:
        """What to say if the server does not answer in time."""
        return f"PostgreSQL at {self.place} does not answer: it is stopped or too busy, or a firewall is in between"

    async def ping(self) -> None:
        """Make sure that the database answers and has the tables, and that this login may read them.

        Raises:
            DatabaseUnavailableError: it does not; the message says what to do.
        """
        async with self.transaction() as connection:
            prepared, granted = (await connection.execute(text(_PREPARED))).one()
            if not prepared:
                raise DatabaseUnpreparedError(f"the database lacks Perdure's tables: {_MIGRATE}")
            if not granted:
                raise DatabaseUnpreparedError(f"{_LACKS_RIGHTS}: {_MIGRATE}")

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    async def _connect(self) -> Any:
        try:
            return await asyncpg.connect(
                self._dsn, timeout=_CONNECT_TIMEOUT_SECONDS, server_settings=self._server_settings
            )
        except TimeoutError as error:
            raise DatabaseUnavailableError(self.silence) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise DatabaseUnavailableError(
                f"cannot connect to PostgreSQL at {self.place}: {_one_line(error)}; {_advice(error)}"
            ) from error

    def _unavailable(self, error: DBAPIError) -> DatabaseUnavailableError | None:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in _NO_TABLE_OR_COLUMN:
            return DatabaseUnpreparedError(f"the database lacks Perdure's tables, or has older ones: {_MIGRATE}")
        if state == _NO_RIGHT:
            return DatabaseUnpreparedError(f"{_LACKS_RIGHTS} ({_one_line(error.orig)}): {_MIGRATE}")
        if state == _CANCELED and self._server_settings:
            return DatabaseTooSlowError(f"PostgreSQL at {self.place} takes too long to answer")
        # 57P01-03: the server stops or starts; 08: the connection broke.
        if error.connection_invalidated or state.startswith("08") or state in ("57P01", "57P02", "57P03"):
            return DatabaseUnavailableError(
                f"the connection to PostgreSQL at {self.place} was lost: {_one_line(error.orig)}"
            )
        return None


def _parse_url(url: str) -> tuple[str, str]:
    """Return the URL for asyncpg, and the server's address without any secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
        # A "/", "?" or "#" in the password ends the address, and the rest of the password would be shown as its path.
        sound = "@" not in parts.path + parts.query + parts.fragment
    except ValueError:  # its text is not shown: the port that it quotes is part of such a password
        sound = False
    if not sound:
        raise InputError(
            "DATABASE_URL is not a URL: write postgresql://user:password@host:port/name, with %2F, %3F and %23 for a "
            "/, ? and # in the password"
        )
    if parts.scheme not in _SCHEMES:
        raise InputError("DATABASE_URL: write postgresql://user:password@host:port/name")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _LIBPQ_ONLY]
    place = f"{parts.hostname or dict(query).get('host') or 'localhost'}:{port or 5432}{parts.path}"
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query), "")), place


def _advice(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "start PostgreSQL, or check the host and the port in DATABASE_URL"
        case socket.gaierror():
            return "check the host in DATABASE_URL"
        case asyncpg.InvalidAuthorizationSpecificationError():  # a wrong password is one of them
            return "check the user and the password in DATABASE_URL"
        case asyncpg.InvalidCatalogNameError():
            return "check the database's name in DATABASE_URL"
        case _:
            return "check DATABASE_URL"


def _without_values(error: DBAPIError) -> None:
    """Remove PostgreSQL's DETAIL from an error that is passed on: it quotes the row (`Failing row contains ...`)."""
    error.args = (_one_line(error.orig), *error.args[1:])
    error.__cause__ = None
    error.__suppress_context__ = True
    if error.orig is not None:
        error.orig.args = (_one_line(error.orig),)
        error.orig.__cause__ = None
        error.orig.__suppress_context__ = True


def _one_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
