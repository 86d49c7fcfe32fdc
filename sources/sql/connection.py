"""What the reader needs of a database, whichever it is."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

CONNECT_SECONDS = 10
APPLICATION = "perdure"


class SqlConnection(Protocol):
    """A read-only connection that runs one query. All but `interrupt` is called by one thread. Raises SourceError."""

    def clock(self) -> datetime:
        """Return the database's clock, in UTC."""

    def execute(self, query: str, since: datetime) -> list[str]:
        """Run the query, and return the names of its columns."""

    def fetch(self, size: int) -> Sequence[Sequence[object]]:
        """Return the next rows, at most `size`; none at the end. Times are texts, as ISO 8601 has them."""

    def interrupt(self) -> None:
        """End what the connection waits for, from another thread."""

    def close(self) -> None:
        """Close the connection; it never fails."""


class Wire:
    """A handle of its own on a connection's socket: another thread can shut it down, however the driver waits.

    A server that is frozen, or a network that is gone, answers no request to cancel.
    """

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=os.dup(number))

    def cut(self) -> None:
        """End the connection: a read or a write in progress fails."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the handle; the connection stays."""
        self._socket.close()
