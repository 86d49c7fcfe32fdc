"""A MySQL or MariaDB database, read through PyMySQL with a cursor that holds one row."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from threading import Timer
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from pymysql.cursors import SSCursor

from sources.errors import Failure, SourceError, one_line
from sources.sql.connection import APPLICATION, CONNECT_SECONDS, Wire
from sources.sql.mysql_url import MysqlUrl
from sources.sql.query import as_format, local_since, names_since, without_end

_KILL_SECONDS = 3.0
_TIMES = (FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME, FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE)
_CONVERSIONS: dict[Any, Any] = {kind: convert for kind, convert in conversions.items() if kind not in _TIMES}
_MEANINGS = (
    ((1040, 1203, 1226, 2002, 2003), Failure.CONNECT, "cannot connect"),
    ((1044, 1045, 1049, 1251, 1698, 2059), Failure.CREDENTIALS, "the database refuses the credentials"),
    ((1969, 3024), Failure.TIMEOUT, "the database ended the query"),
    ((0, 1053, 1205, 1213, 1317, 1927, 2006, 2013, 2014, 2027), Failure.LOST, "the connection was lost"),
    ((1298,), Failure.QUERY, "the server lacks the time zone: load it with mysql_tzinfo_to_sql, or write UTC"),
)
"""What the server's and the driver's error codes mean. Every other one says that the query is wrong."""


class StreamingCursor(SSCursor):
    """A cursor that holds one row, and leaves the rest unread when it is closed: the connection ends, too."""

    _result: Any
    connection: Any

    def close(self) -> None:
        """Forget the rows that are left; the driver's own cursor reads them all."""
        if self._result is not None:
            self._result.unbuffered_active = False
        self._result = None
        self.connection = None

    __del__ = close


class MysqlConnection:
    """Reads a MySQL or MariaDB database in one read-only transaction."""

    def __init__(self, url: MysqlUrl, timeout: timedelta, zone: tzinfo) -> None:
        """Connect. Raises SourceError."""
        self._url = url
        self._zone = zone
        with self._naming():
            self._connection, self._wire = _connect(url, CONNECT_SECONDS)
        self._cursor = StreamingCursor(self._connection)
        try:
            with self._naming():
                self._begin(timeout)
        except BaseException:
            self.close()
            raise

    def _begin(self, timeout: timedelta) -> None:
        self._cursor.execute("SELECT CONNECTION_ID()")
        ((self._id,),) = list(self._cursor.fetchall())
        seconds = max(int(timeout.total_seconds()), 1)
        zone = "+00:00" if self._zone is UTC else str(self._zone)
        self._cursor.execute("SET time_zone = %s", (zone,))
        # The server otherwise ends the connection when nobody takes rows for a minute.
        self._cursor.execute("SET net_write_timeout = %s", (seconds,))
        self._cursor.execute("START TRANSACTION READ ONLY")

    def clock(self) -> datetime:
        """Return the server's clock."""
        with self._naming():
            self._cursor.execute("SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)")
            (row,) = list(self._cursor.fetchall())
        return datetime.fromisoformat(row[0]).replace(tzinfo=UTC)

    def execute(self, query: str, since: datetime) -> list[str]:
        """Run the query. `:since` is a time in the source's zone, which is the session's, too."""
        with self._naming():
            if names_since(query):
                text = local_since(since, self._zone).isoformat(sep=" ", timespec="microseconds")
                self._cursor.execute(as_format(without_end(query)), {"since": text})
            else:
                self._cursor.execute(without_end(query))
        return [column[0] for column in self._cursor.description or ()]

    def fetch(self, size: int) -> Sequence[Sequence[object]]:
        """Return the next rows."""
        with self._naming():
            return self._cursor.fetchmany(size)

    def interrupt(self) -> None:
        """Cancel what the server does, by a second connection, and cut the connection."""
        with contextlib.suppress(pymysql.Error, OSError):
            killer, wire = _connect(self._url, _KILL_SECONDS)
            with contextlib.closing(wire), killer, killer.cursor() as cursor:
                cursor.execute("KILL QUERY %s", (self._id,))
        self._wire.cut()

    def close(self) -> None:
        """Close the connection."""
        self._cursor.close()
        self._wire.cut()
        with contextlib.suppress(pymysql.Error):
            self._connection.close()
        self._wire.close()

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(Failure.CONNECT, f"cannot connect: {one_line(error.strerror or error)}") from error
        except pymysql.Error as error:
            raise _meaning(error, self._url.password) from error
        except UnicodeError as error:
            raise SourceError(Failure.QUERY, "a value is not UTF-8 text: convert it in the query") from error


def _connect(url: MysqlUrl, seconds: float) -> tuple[pymysql.Connection[Any], Wire]:
    """Connect within so many seconds; the driver itself waits for a server's greeting for ever."""
    connection: pymysql.Connection[Any] = pymysql.Connection(
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password.encode(),
        database=url.database or None,
        charset="utf8mb4",
        conv=_CONVERSIONS,
        program_name=APPLICATION,
        defer_connect=True,
        **url.tls,
    )
    if url.unix_socket:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        plain.settimeout(seconds)
        plain.connect(url.unix_socket)
    else:
        plain = socket.create_connection((url.host, url.port), seconds)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire = Wire(plain.fileno())
    limit = Timer(seconds, wire.cut)
    limit.start()
    try:
        connection.connect(plain)
    except BaseException:
        plain.close()
        wire.close()
        raise
    finally:
        limit.cancel()
    return connection, wire


def _meaning(error: pymysql.Error, secret: str) -> SourceError:
    code = error.args[0] if error.args else 0
    message = one_line(error.args[-1] if error.args else "no reason is given", secret)
    for codes, failure, words in _MEANINGS:
        if code in codes:
            return SourceError(failure, f"{words}: {message}")
    return SourceError(Failure.QUERY, f"the query is refused: {message}")
