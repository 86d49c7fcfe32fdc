"""Refusals: errors that say that PostgreSQL will never store these values, as opposed to "not now"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from storage.postgres.database import DatabaseUnavailableError

_EXCLUSION_VIOLATION = "23P01"
# Data, integrity, raised by a trigger, larger than an index or a row can be. Every other class can pass by itself.
_REFUSED = ("22", "23", "54", "P0")
_LONGEST = 300


def is_conflict(error: DBAPIError) -> bool:
    """Return whether the exclusion constraint refused a claim."""
    return _state(error) == _EXCLUSION_VIOLATION


def is_refused(error: DBAPIError) -> bool:
    """Return whether the database refuses the values themselves, so that a retry cannot help."""
    return _state(error).startswith(_REFUSED)


def refusal(error: DBAPIError) -> str:
    """Return the database's reason in one line. Its DETAIL is left out: it quotes the row."""
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return f"{lines[0][:_LONGEST]} (SQLSTATE {_state(error)})"


@contextmanager
def retrying(what: str) -> Iterator[None]:
    """Raise what can pass by itself, such as a deadlock, as an error that is retried; `what` could not be done.

    Raises:
        DatabaseUnavailableError: it can pass.
        DBAPIError: the database refuses the values.
    """
    try:
        yield
    except DBAPIError as error:
        if is_refused(error):
            raise
        raise DatabaseUnavailableError(f"PostgreSQL could not {what}: {refusal(error)}") from error


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
