"""A Postgres database, read through psycopg with a cursor on the server."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import errors
from psycopg.types.string import TextLoader

from sources.errors import Failure, SourceError, one_line
from sources.sql.connection import APPLICATION, CONNECT_SECONDS, Wire
from sources.sql.query import as_format, names_since, without_end

_CANCEL_SECONDS = 3.0
_LOST = ("08", "25", "40", "53", "55", "57")  # classes of SQLSTATE
_MALFORMED = (
    "its URL is malformed: write postgresql://user:password@host:5432/database, with %40, %2F, %3F, %23 and %25 for a "
    "@, /, ?, # and % in the password"
)
_REFUSED = ("password", "authentication", "pg_hba.conf", "does not exist", "role ", "permission denied")


class PostgresConnection:
    """Reads a Postgres database in one read-only transaction, so a pooler that pools by transaction works too."""

    def __init__(self, url: str, timeout: timedelta, zone: tzinfo) -> None:
        """Connect. Raises SourceError."""
        if not _is_sound(url):
            raise SourceError(Failure.CREDENTIALS, _MALFORMED)
        self._secret = _password(url)
        try:
            self._connection = psycopg.connect(
                f"postgresql://{url.partition('://')[2]}",
                connect_timeout=CONNECT_SECONDS,
                application_name=APPLICATION,
                client_encoding="UTF8",
                prepare_threshold=None,
            )
        except psycopg.Error as error:
            raise _connect_error(error, self._secret) from error
        self._wire = Wire(self._connection.fileno())
        # Text, because psycopg refuses a page for one time that Python cannot hold; then it is a fault of its row.
        for name in ("timestamp", "timestamptz", "date"):
            self._connection.adapters.register_loader(name, TextLoader)
        self._cursor = self._connection.cursor(name="perdure_rows")
        try:
            with self._naming():
                self._begin(timeout, zone)
        except BaseException:
            self.close()
            raise

    def _begin(self, timeout: timedelta, zone: tzinfo) -> None:
        self._connection.read_only = True
        milliseconds = str(int(timeout.total_seconds() * 1000))
        settings = {
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            "TimeZone": str(zone),
            "DateStyle": "ISO",
        }
        for name, value in settings.items():
            self._connection.execute("SELECT set_config(%s, %s, true)", (name, value))

    def clock(self) -> datetime:
        """Return the server's clock."""
        with self._naming():
            row = self._connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        return datetime.fromtimestamp(row[0] if row else 0.0, UTC)

    def execute(self, query: str, since: datetime) -> list[str]:
        """Run the query. `:since` is a timestamptz; the session's time zone is the source's."""
        statement = without_end(query)
        with self._naming():
            if names_since(query):
                self._cursor.execute(as_format(statement).encode(), {"since": since})
            else:
                self._cursor.execute(statement.encode())
        return [column.name for column in self._cursor.description or ()]

    def fetch(self, size: int) -> Sequence[Sequence[object]]:
        """Return the next rows."""
        with self._naming():
            return self._cursor.fetchmany(size)

    def interrupt(self) -> None:
        """Cancel what the server does, and cut the connection."""
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        self._wire.cut()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()  # first, so that the cursor's own close sends nothing
        self._cursor.close()
        self._wire.close()

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise _meaning(error, self._secret) from error
        except UnicodeError as error:
            raise SourceError(Failure.QUERY, "a value is not UTF-8 text: convert it in the query") from error


def _meaning(error: psycopg.Error, secret: str) -> SourceError:
    """Return what an error while reading means."""
    message = one_line(error.diag.message_primary or error, secret)
    if isinstance(error, errors.QueryCanceled):
        return SourceError(Failure.TIMEOUT, f"the database ended the query: {message}")
    ended = error.sqlstate is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if ended or (error.sqlstate or "")[:2] in _LOST:
        return SourceError(Failure.LOST, f"the connection was lost: {message}")
    return SourceError(Failure.QUERY, f"the query is refused: {message}")


def _connect_error(error: psycopg.Error, secret: str) -> SourceError:
    """Return what an error while connecting means; libpq has no code for it, only text."""
    message = one_line(error, secret)
    if "percent-encoded" in message:  # it quotes what can be a password
        return SourceError(Failure.CREDENTIALS, _MALFORMED)
    if isinstance(error, psycopg.ProgrammingError):
        return SourceError(Failure.CREDENTIALS, f"its URL is malformed: {message}")
    if any(word in message for word in _REFUSED):
        return SourceError(Failure.CREDENTIALS, f"the database refuses the credentials: {message}")
    return SourceError(Failure.CONNECT, f"cannot connect: {message}")


def _is_sound(url: str) -> bool:
    """Return whether nothing of a password can be taken for another part of the URL, and be shown as that."""
    authority, *rest = re.split("[/?#]", url.partition("://")[2], maxsplit=1)
    return authority.count("@") <= 1 and ("@" in authority or "@" not in "".join(rest))


def _password(url: str) -> str:
    """Return the password in a URL, empty if there is none."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""
