"""Ports of the embedded stack, all on 127.0.0.1: the wanted one when it is free, else another."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Collection, Iterable, Iterator

from devstack.errors import StackError

HOST = "127.0.0.1"
# Below the range from which systems pick ports of outgoing connections, so none is taken in between.
FREE_RANGE = range(18_000, 32_000)
NONE_FREE = f"no free port on {HOST} between {FREE_RANGE.start} and {FREE_RANGE.stop}"


def is_free(port: int) -> bool:
    """Whether nobody listens on the port and it can be bound."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(*wanted: int | None, taken: Collection[int] = ()) -> int:
    """The first of the wanted ports that is free and not in `taken`, else some other free port.

    Raises:
        StackError: a hundred random ports were all in use.
    """
    for port in _candidates(wanted):
        if port not in taken and is_free(port):
            return port
    raise StackError(NONE_FREE)


def hold(*wanted: int | None) -> socket.socket:
    """A socket that keeps the chosen port from others; close it just before the port is used.

    Raises:
        StackError: as `choose`.
    """
    for port in _candidates(wanted):
        if not is_free(port):
            continue
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
            server.listen(1)
        except OSError:  # somebody was faster
            server.close()
            continue
        return server
    raise StackError(NONE_FREE)


def _candidates(wanted: Iterable[int | None]) -> Iterator[int]:
    yield from (port for port in wanted if port)
    for _ in range(100):
        yield FREE_RANGE[secrets.randbelow(len(FREE_RANGE))]
