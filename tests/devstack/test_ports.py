"""Ports: the wanted one if it is free, or else another, however many processes choose at the same time."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack import ports
from devstack.errors import PortTakenError, StackError
from devstack.servers.emulator import EmulatorServer
from devstack.servers.postgres import Postgres
from devstack.servers.temporal import TemporalServer, temporal_ports
from devstack.servers.unprivileged import data_folder, drop_user

pytestmark = pytest.mark.waits

RESERVING = """
import sys
from devstack import ports
print(ports.reserve(int(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def other_process(wanted: int) -> Iterator[int]:
    """Yield a port that another process reserves while it runs."""
    command = [sys.executable, "-c", RESERVING, str(wanted)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def test_the_first_free_wanted_port_is_reserved_for_one_process() -> None:
    with ports.listen(ports.HOST) as listening:
        taken = listening.getsockname()[1]
        assert not ports.is_free(taken)
        with other_process(taken) as free:
            assert free != taken
            assert ports.is_free(free)  # free for the server of that process to bind
            assert ports.reserve(taken, None, free) not in (taken, free)
            with ports.listen(ports.HOST, taken, free) as other:
                assert other.getsockname()[1] not in (taken, free)
        assert ports.reserve(taken, None, free) == free
        assert ports.reserve(free) != free


def test_a_port_taken_on_all_addresses_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen(1)
        assert not ports.is_free(server.getsockname()[1])


def test_no_port_at_all_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(StackError, match="no free port"):
        ports.reserve(8233)
    with pytest.raises(StackError, match="no free port"):
        ports.listen(ports.HOST, 8233)


def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(StackError, match=r"cannot listen on 192\.0\.2\.1:\d+: "):
        ports.listen("192.0.2.1")


Made = tuple[ports.Server, int]
"""A server, and one of its ports."""


def postgres(folder: Path, port: int) -> Made:
    place = data_folder(folder / "postgres", "id", drop_user())
    return Postgres(place, port, "secret", folder / "log", durable=False), port


def emulator(folder: Path, port: int) -> Made:
    return EmulatorServer(folder / "stripe", port, folder / "log", "sk_test_1"), port


def temporal(folder: Path, port: int, which: str = "grpc") -> Made:
    server = TemporalServer(temporal_ports(port), folder / "log")
    return server, getattr(server.ports, which)


def temporal_ui(folder: Path, port: int) -> Made:
    return temporal(folder, port, "ui")


@pytest.mark.parametrize("make", [postgres, emulator, temporal, temporal_ui])
async def test_a_port_that_is_taken_in_between_is_replaced(make: Callable[[Path, int], Made], home: Path) -> None:
    tried: list[int] = []
    with contextlib.ExitStack() as others:

        def taken_in_between(port: int) -> ports.Server:
            server, needed = make(home, port)
            tried.append(needed)
            if len(tried) == 1:
                others.enter_context(socket.create_server((ports.HOST, needed)))
            return server

        server = await ports.start_on_a_port(taken_in_between)
        try:
            assert len(set(tried)) == 2
            assert not ports.is_free(tried[1])
        finally:
            await server.stop()


async def test_ports_that_are_always_taken_are_reported(home: Path) -> None:
    with contextlib.ExitStack() as others:

        def always_taken(port: int) -> ports.Server:
            others.enter_context(socket.create_server((ports.HOST, port)))
            return emulator(home, port)[0]

        with pytest.raises(
            PortTakenError, match=r"the Stripe emulator ended with exit status 1 while starting: .*in use"
        ):
            await ports.start_on_a_port(always_taken)
