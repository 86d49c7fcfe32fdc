"""What a stack says while it starts: each part with its seconds, and who holds a port that it wants."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from devstack import ports
from devstack.home import Home
from devstack.supervise import coming_up
from tests.devstack.conftest import Up

pytestmark = pytest.mark.waits

PARTS = {
    *("PostgreSQL", "tables", "Temporal", "Stripe emulator", "webhook", "API", "metrics", "console"),
    *("billing worker", "Stripe worker", "sources' worker"),
}


def test_parts_are_said_as_they_come_up_and_ports_with_their_holder(home: Path, up: Callable[..., Up]) -> None:
    home.mkdir(parents=True)
    with socket.create_server((ports.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        Home(home).remember("ports", {"temporal_ui": port})
        stack = up(home)
        stack.wait_ready()
    lines = stack.text().splitlines()
    assert lines[0] == f"Starting in {home}"
    up_after = re.findall(r"^  ✓ (.{20}) ( {0,3}\d+\.\d s)$", stack.text(), re.MULTILINE)
    assert {name.strip() for name, _ in up_after} == PARTS
    assert len(up_after) == len(PARTS)
    holder = f"{psutil.Process().name()} (pid {os.getpid()})"
    said = re.findall(rf"^port {port} is taken by (.*): the Temporal UI is at (\d+)$", stack.text(), re.MULTILINE)
    assert [who for who, _ in said] == [holder]
    assert f"TEMPORAL_UI_URL='http://127.0.0.1:{said[0][1]}'" in stack.env_file.read_text()
    assert stack.stop() == 0

    again = up(home)  # on the same port as at its last start, although the wanted one is free again
    again.wait_ready()
    assert f"TEMPORAL_UI_URL='http://127.0.0.1:{said[0][1]}'" in again.env_file.read_text()
    assert not re.search(rf"port {said[0][1]} is taken", again.text())
    assert again.stop() == 0


def test_a_part_that_fails_is_not_said_to_be_up() -> None:
    said: list[str] = []
    with pytest.raises(ValueError, match="broken"), coming_up(said.append, "the API"):
        raise ValueError("broken")
    assert said == []
