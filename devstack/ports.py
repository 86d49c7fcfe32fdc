"""Ports of the embedded stack, all on 127.0.0.1: the wanted one when it is free, else another.

A server binds its own port, some time after the port was chosen for it. Two things keep others away meanwhile:
what chooses by `reserve` (stacks, tests, campaigns) never gets a port that another such process has reserved, and a
server that finds its port taken all the same is started on another one (`start_on_a_port`). A process of ours can
be handed a socket that listens already (`listen`).
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from devstack.errors import PortTakenError, StackError

HOST = "127.0.0.1"
# Below the range from which systems pick ports of outgoing connections, so none is taken in between.
FREE_RANGE = range(18_000, 32_000)
TRIES = 5

_reserved: dict[int, socket.socket] = {}


class Server(Protocol):
    """What `start_on_a_port` starts."""

    def start(self) -> Awaitable[None]:
        """Start it and wait until it serves."""

    def stop(self) -> Awaitable[None]:
        """Stop it, or what is left of it."""


S = TypeVar("S", bound=Server)


def reserve(*wanted: int | None) -> int:
    """The first of the wanted ports that is free, else some other free port; kept until this process ends.

    Bound is the UDP port of the same number, as the TCP port is for the server to bind: nobody listens on it, it is
    free again as soon as the process is gone, and the server may be restarted without losing the port.

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
    """A socket that listens on the first of the wanted ports that can be had, else on some other port.

    Raises:
        StackError: as `reserve`, or the host is not an address of this machine.
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
    """Start what `make` makes for a port on the first wanted one that is free; on another one if it turns out taken.

    Raises:
        StackError: it did not come up for another reason, or found its ports taken again and again.
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
            _reserved.pop(port).close()  # it may be another one of the server's ports that is taken
            failures += 1
            if failures == TRIES:
                raise


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


def _candidates(wanted: Iterable[int | None]) -> Iterator[int]:
    yield from (port for port in wanted if port)
    for _ in range(100):
        yield FREE_RANGE[secrets.randbelow(len(FREE_RANGE))]
