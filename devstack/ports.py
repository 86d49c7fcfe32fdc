"""Ports of the embedded stack, all on 127.0.0.1: the wanted one if it is free, or else another.

A server binds its port some time after the port was chosen for it. Two mechanisms prevent a clash in the meantime:
`reserve` (used by stacks, tests, campaigns) never returns a port that another such process has reserved, and a server
that still finds its port in use is started on another one (`start_on_a_port`). A process of ours can instead receive a
socket that already listens (`listen`).
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import psutil  # type: ignore[import-untyped]

from devstack.errors import PortTakenError, StackError

HOST = "127.0.0.1"
# Below the range from which systems pick ports for outgoing connections, so that none of those occupies one.
FREE_RANGE = range(18_000, 32_000)
TRIES = 5

_reserved: dict[int, socket.socket] = {}


@atexit.register
def _release_all() -> None:
    for held in _reserved.values():
        held.close()


class Server(Protocol):
    """A server that `start_on_a_port` can start."""

    def start(self) -> Awaitable[None]:
        """Start it and wait until it serves."""

    def stop(self) -> Awaitable[None]:
        """Stop it, even if its start failed halfway."""


S = TypeVar("S", bound=Server)


def reserve(*wanted: int | None) -> int:
    """Reserve the first wanted port that is free, or else another free port, until this process ends. Returns it.

    The reservation binds the UDP port of the same number, because the server must bind the TCP port. Nobody listens on
    the UDP port, it is free again when the process ends, and the server can restart without losing its port.

    Raises:
        StackError: a hundred random ports were all in use.
    """
    for port in _candidates(wanted):
        if port in _reserved:
            continue
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            held.bind((HOST, port))
        except OSError:
            held.close()
            continue
        if is_free(port):
            _reserved[port] = held
            return port
        held.close()
    raise StackError(f"no free port on {HOST} between {FREE_RANGE.start} and {FREE_RANGE.stop}")


def listen(host: str, *wanted: int | None) -> socket.socket:
    """Return a socket that listens on the first wanted port available, or else on another port.

    Raises:
        StackError: no port is free, or the host is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = reserve(*wanted)
        try:
            return socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StackError(f"cannot listen on {host}:{port}: {error.strerror}") from error


async def start_on_a_port(make: Callable[[int], S], *wanted: int | None) -> S:
    """Start the server that `make` returns for a port: the first free one of the wanted, or else another free port.

    Raises:
        StackError: the server did not start for another reason, or found its ports in use `TRIES` times.
    """
    failures = 0
    while True:
        port = reserve(*wanted)
        server = make(port)
        try:
            await server.start()
            return server
        except PortTakenError:
            await server.stop()
            _reserved.pop(port).close()  # another of the server's ports may be the one in use
            failures += 1
            if failures == TRIES:
                raise


def is_free(port: int) -> bool:
    """Whether nobody listens on the port, and it can be bound."""
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


def holder(port: int) -> str:
    """Return the name and pid of the process that listens on the port or reserves it, if this user may know them."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            at = connection.laddr
            if (
                at
                and at.port == port
                and connection.pid
                and connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
            ):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"


def _candidates(wanted: Iterable[int | None]) -> Iterator[int]:
    yield from (port for port in wanted if port)
    for _ in range(100):
        yield FREE_RANGE[secrets.randbelow(len(FREE_RANGE))]
