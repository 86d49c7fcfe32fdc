"""Reading a database's rows page by page, each statement bounded in time, with a way out for another thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock, Timer
from typing import TypeVar

from billing.errors import InputError
from billing.text import plural
from billing.usage.columns import ColumnNames
from sources.config import SqlSource
from sources.errors import Failure, SourceError
from sources.files.rows import Picker, distinct
from sources.reading import SourcePage, now, parse_page
from sources.sql.connection import SqlConnection
from sources.sql.query import FIRST
from sources.urls import database_of, sqlite_path

T = TypeVar("T")
_GRACE_SECONDS = 5.0  # in which the database itself can say that a statement takes too long


class SqlReader:
    """Reads one source once: `clock`, then `pages`. All but `cancel` is called by one thread at a time."""

    def __init__(self, source: SqlSource, connection: SqlConnection, arrived: Callable[[], datetime] = now) -> None:
        self._source = source
        self._connection = connection
        self._arrived = arrived
        self._lock = Lock()
        self._ended: Failure | None = None
        self._closed = False
        self._clock = self._within(connection.clock)

    def clock(self) -> datetime:
        """Return the database's clock, in UTC, of when the reader was opened; for SQLite it is ours."""
        return self._clock

    def pages(self, since: datetime | None, size: int) -> Iterator[SourcePage]:
        """Run the query and yield its rows in its order; `size` rows are held at once. No rows are no page.

        Args:
            since: the value of `:since`, aware; None for all rows. A query that does not name it has all rows anyway.
            size: how many rows a page has.

        Raises:
            SourceError: the query is refused, lacks a column, takes too long, or the connection is lost or cancelled.
        """
        source, connection = self._source, self._connection
        names = self._within(lambda: connection.execute(source.query, since or FIRST))
        picker = Picker(self._columns(names))
        number = 0
        while rows := self._within(lambda: connection.fetch(size)):
            fields = [(number + place, picker.fields(row)) for place, row in enumerate(rows, 1)]
            number += len(rows)
            yield parse_page(fields, source.zone, self._arrived)

    def cancel(self) -> None:
        """End what the reader waits for, from another thread, within seconds; it then raises a SourceError."""
        self._end(Failure.CANCELLED)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _columns(self, names: list[str]) -> list[str | None]:
        try:
            return ColumnNames("instances", self._source.mapping).of_file(distinct(names))
        except InputError as error:
            raise self._named(Failure.QUERY, f"query: {error}") from error

    def _within(self, step: Callable[[], T]) -> T:
        """Run a step on the connection, and end it if it takes too long."""
        limit = Timer(self._source.timeout.total_seconds() + _GRACE_SECONDS, self._end, (Failure.TIMEOUT,))
        limit.daemon = True
        limit.start()
        try:
            self._check()
            found = step()
            self._check()
            return found
        except SourceError as error:
            self._check()
            raise self._named(error.failure, str(error)) from error
        finally:
            limit.cancel()

    def _check(self) -> None:
        """Raise why the connection was ended from outside, if it was."""
        if self._ended is Failure.CANCELLED:
            raise self._named(self._ended, "the read was cancelled")
        if self._ended is Failure.TIMEOUT:
            seconds = int(self._source.timeout.total_seconds())
            raise self._named(self._ended, f"no answer within {plural(seconds, 'second')}: see `timeout`")

    def _named(self, failure: Failure, message: str) -> SourceError:
        return SourceError(failure, f"{self._source.place}: {message}")

    def _end(self, why: Failure) -> None:
        with self._lock:
            if self._closed or self._ended is not None:
                return
            self._ended = why
            self._connection.interrupt()


@contextmanager
def open_sql(source: SqlSource, arrived: Callable[[], datetime] = now) -> Iterator[SqlReader]:
    """Connect to a source's database, read-only, and close the connection at the end of the block.

    Connecting takes at most 10 seconds for each address of the host. `arrived`: when rows arrive, by our clock; times
    more than 5 minutes later are refused.

    Raises:
        SourceError: it cannot be reached, or refuses the credentials. The message names the source.
        InputError: the secret is missing, or holds no database's URL.
    """
    connection = _connect(source)
    try:
        reader = SqlReader(source, connection, arrived)
    except SourceError:
        connection.close()
        raise
    try:
        yield reader
    finally:
        reader.close()


def _connect(source: SqlSource) -> SqlConnection:
    """Connect by the driver of the URL's scheme. Only that one is imported: each costs a worker's start."""
    url = source.url.read()
    try:
        match database_of(url):
            case "postgresql":
                from sources.sql.postgres import PostgresConnection

                return PostgresConnection(url, source.timeout, source.zone)
            case "mysql":
                from sources.sql.mysql import MysqlConnection
                from sources.sql.mysql_url import parse_mysql_url

                return MysqlConnection(parse_mysql_url(url), source.timeout, source.zone)
            case "sqlite":
                from sources.sql.sqlite import SqliteConnection

                return SqliteConnection(sqlite_path(url, source.url.folder), source.zone)
    except SourceError as error:
        raise SourceError(error.failure, f"{source.place}: {error}") from error
    except InputError as error:
        raise InputError(f"{source.url.place}: {error}") from error
    raise InputError(f"{source.url.place}: its scheme is not known: write postgresql://, mysql:// or sqlite:///path")
