"""The test runner's exit: if Temporal was used, it leaves by `os._exit`, with the right status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.devstack.conftest import ROOT
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits

CONFTEST = """
from tests.support.leave import LeaveAtOnce

def pytest_configure(config):
    config.pluginmanager.register(LeaveAtOnce(), "leave-at-once")
"""
# An object that crashes the interpreter during shutdown, as Temporal's client sometimes does.
TEST = """
import builtins, os, temporalio.client
import pytest

class Crash:
    def __init__(self):
        self.abort = os.abort

    def __del__(self):
        self.abort()

builtins.crash_at_the_end = Crash()

def test_passes():
    pass
"""
FAILS = """
def test_fails():
    assert False
"""


@pytest.mark.parametrize("arguments", [[], ["-n", "1"]], ids=["plain", "xdist"])
@pytest.mark.parametrize(("test", "status", "shown"), [(TEST, 0, "1 passed"), (TEST + FAILS, 1, "1 failed, 1 passed")])
def test_the_status_is_kept(tmp_path: Path, arguments: list[str], test: str, status: int, shown: str) -> None:
    done = _pytest(tmp_path, test, arguments)
    assert shown in done.stdout
    assert done.returncode == status, done.stderr
    assert "Aborted" not in done.stderr


def test_a_wrong_argument_is_still_reported(tmp_path: Path) -> None:
    done = _pytest(tmp_path, TEST, ["no-such-file.py"])
    assert done.returncode == 4
    assert "not found: no-such-file.py" in done.stderr


def _pytest(folder: Path, test: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    return subprocess.run(
        [*command, f"--rootdir={folder}", "-c", "/dev/null", "."] if not arguments or "-n" in arguments else command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=GIVE_UP_SECONDS,
    )
