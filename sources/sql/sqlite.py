"""A SQLite file, opened read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from sources.errors import Failure, SourceError, one_line
from sources.sql.query import local_since, without_end

_BUSY_SECONDS = 10


class SqliteConnection:
    """Reads a SQLite file. Its rows are copied to a temporary table first, in one go.

    While a statement of ours is open, SQLite keeps others from committing, so none stays open while rows are stored.
    """

    def __init__(self, path: Path, zone: tzinfo) -> None:
        """Open the file. Raises SourceError."""
        self._zone = zone
        self._path = path
        with self._naming():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        self._connection.text_factory = bytes  # a text that is not UTF-8 is a fault of its row alone
        self._cursor = self._connection.cursor()

    def clock(self) -> datetime:
        """Return our own clock: a file has none."""
        return datetime.now(UTC)

    def execute(self, query: str, since: datetime) -> list[str]:
        """Run the query. `:since` is a text such as `2022-05-01 12:00:00`, in UTC or the zone, whichever is earlier."""
        text = min(since.astimezone(UTC).replace(tzinfo=None), local_since(since, self._zone))
        statement = f"CREATE TEMP TABLE perdure_rows AS\n{without_end(query)}"
        with self._naming():
            self._cursor.execute(statement, {"since": f"{text:%Y-%m-%d %H:%M:%S}"})
            self._cursor.execute("SELECT * FROM temp.perdure_rows ORDER BY rowid")
        return [column[0] for column in self._cursor.description]

    def fetch(self, size: int) -> Sequence[Sequence[object]]:
        """Return the next rows."""
        with self._naming():
            return self._cursor.fetchmany(size)

    def interrupt(self) -> None:
        """End the statement that runs."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _meaning(error, self._path) from error


def _meaning(error: sqlite3.Error, path: Path) -> SourceError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return SourceError(Failure.QUERY, f"cannot open {path}: {one_line(error)}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SourceError(Failure.CONNECT, f"{path} is locked by another process: {one_line(error)}")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL):
        return SourceError(Failure.LOST, f"cannot read {path}: {one_line(error)}")
    return SourceError(Failure.QUERY, f"the query is refused: {one_line(error)}")
