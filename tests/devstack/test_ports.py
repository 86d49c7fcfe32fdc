"""Ports: the wanted one if it is free, else another."""

from __future__ import annotations

import socket

import pytest

from devstack import ports
from devstack.errors import StackError

pytestmark = pytest.mark.waits


def test_the_first_free_wanted_port_is_taken() -> None:
    free = ports.choose()
    with ports.hold() as held:
        taken = held.getsockname()[1]
        assert not ports.is_free(taken)
        assert ports.choose(taken, None, free) == free
        assert ports.choose(taken, free, taken=[free]) not in (taken, free)
        with ports.hold(taken, free) as other:
            assert other.getsockname()[1] == free
    assert ports.is_free(taken)


def test_a_port_taken_on_all_addresses_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen(1)
        assert not ports.is_free(server.getsockname()[1])


def test_no_port_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(StackError, match="no free port"):
        ports.choose(8233)
    with pytest.raises(StackError, match="no free port"):
        ports.hold(8233)
