"""A stack whose product processes are stand-ins, and a runner for it in a separate process."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.until import GIVE_UP_SECONDS

NUMBERS = itertools.count()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(scratch: Path, request: pytest.FixtureRequest) -> Path:
    return scratch / "homes" / str(request.node.name)


class Up:
    """`run_up` in another process."""

    def __init__(self, home: Path, *code: str) -> None:
        self.output = home.with_name(f"{home.name}.{next(NUMBERS)}.out")
        self.output.parent.mkdir(exist_ok=True)
        environment = {**os.environ, "PERDURE_HOME": str(home)}
        environment.pop("PERDURE_ENVIRONMENT_ONLY", None)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.run_stack", *code],
                stdout=output,
                stderr=output,
                env=environment,
                cwd=ROOT,
            )
        self.env_file = home / "env"

    def text(self) -> str:
        return self.output.read_text()

    def wait_ready(self) -> None:
        wait_until(lambda: "ready" in self.text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(GIVE_UP_SECONDS)


@pytest.fixture
def up() -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(home: Path, *code: str) -> Up:
        started.append(Up(home, *code))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def wait_until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not happened():
        assert time.monotonic() < give_up, "did not happen in time"
        time.sleep(0.02)
