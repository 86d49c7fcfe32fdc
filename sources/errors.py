"""The error of a source that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from billing.errors import InputError, PerdureError


class Failure(StrEnum):
    """What went wrong with a source."""

    CONNECT = "connect"
    """It cannot be reached, or it accepts no connection at the moment."""
    CREDENTIALS = "credentials"
    """It refuses the user, the password or the database's name."""
    QUERY = "query"
    """It refuses the query, the query's columns are not ours, or a folder cannot be listed."""
    TIMEOUT = "timeout"
    """It does not answer within the source's `timeout`."""
    LOST = "lost"
    """The connection was lost while rows were read, or what is read changed meanwhile."""
    CANCELLED = "cancelled"
    """The reader was cancelled by its caller."""


class SourceError(PerdureError):
    """A source cannot be read; the message is one line without secrets. What was read before is sound.

    `transient`: reading it again at once can help.
    """

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def transient(self) -> bool:
        """Whether reading it again at once can help."""
        return self.failure in (Failure.CONNECT, Failure.LOST)


@contextmanager
def as_source_error() -> Iterator[None]:
    """Turn wrong input of a source, such as a folder that is missing, into a SourceError with the same message."""
    try:
        yield
    except InputError as error:
        raise SourceError(Failure.QUERY, str(error)) from error


def one_line(text: object, secret: str = "", limit: int = 300) -> str:
    """Return a driver's message as one line, without the secret."""
    line = " ".join(str(text).split())
    if secret:
        line = line.replace(secret, "***")
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
