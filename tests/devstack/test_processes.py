"""Child processes: their failures are distinguished, they always stop, and they end with their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from devstack import ports
from devstack.errors import StackError
from devstack.processes import Child
from tests.devstack.conftest import wait_until
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = """
import subprocess, sys, time
from pathlib import Path
from devstack.processes import Child
child = Child("sleeper", ["/bin/sleep", "60"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


# Answers one connection with its pid, which works only if it received the socket.
ANSWERING = """
import os
from starter.handed_over import handed_over_socket
listening = handed_over_socket()
connection, _ = listening.accept()
connection.sendall(str(os.getpid()).encode())
"""


def python(code: str, log: Path) -> Child:
    return Child("the thing", [sys.executable, "-c", code], log)


async def never() -> bool:
    return False


async def test_a_failed_start_is_one_line_with_the_reason(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    child = python("import sys; print('port 1 is in use'); sys.exit('out of luck')", log)
    child.start()
    with pytest.raises(StackError) as error:
        await child.wait_ready(never)
    assert "the thing ended with exit status 1 while starting" in str(error.value)
    assert "out of luck" in str(error.value)
    assert str(log) in str(error.value)
    assert "\n" not in str(error.value)


async def test_one_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    child = python("import time; time.sleep(60)", tmp_path / "log")
    child.start()
    with pytest.raises(StackError, match=r"was not ready in 0.3 s: it logged nothing"):
        await child.wait_ready(never, timeout_seconds=0.3)
    assert not child.running


async def test_a_missing_program_is_reported(tmp_path: Path) -> None:
    child = Child("the thing", ["/nowhere/program"], tmp_path / "log")
    child.start()
    with pytest.raises(StackError, match="cannot run /nowhere/program"):
        await child.wait_ready(never)


async def test_a_stubborn_one_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = python(STUBBORN, log)
    child.start()
    wait_until(lambda: log.read_text() == "up\n")
    await child.stop(grace_seconds=0.3)
    assert child.exit_status == -signal.SIGKILL
    await child.stop()


async def test_a_socket_is_handed_over_at_each_start(tmp_path: Path) -> None:
    with ports.listen(ports.HOST) as listening:
        child = Child("the thing", [sys.executable, "-c", ANSWERING], tmp_path / "log", listening=listening)
        for _ in range(2):
            with socket.create_connection(listening.getsockname()) as early:
                child.start()
                assert await asyncio.to_thread(early.recv, 20) == str(child.pid).encode()
            assert await child.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a go-between does it")
def test_children_of_a_killed_parent_die(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_until(lambda: psutil.Process(pid).name() == "sleep")
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_the_go_between_of_other_systems_ends_the_command(tmp_path: Path) -> None:
    """macOS cannot tie a process to its parent. This test calls the code that replaces the tie."""
    code = "import devstack.launch as l, sys; sys.exit(l._guard(int(sys.argv[1]), 15, sys.argv[2:]))"
    gone = 1 if os.getpid() != 1 else 2
    command = [sys.executable, "-c", code, str(gone), "/bin/sleep", "60"]
    assert subprocess.run(command, timeout=GIVE_UP_SECONDS).returncode == 128 + signal.SIGTERM
    command[3] = str(os.getpid())
    assert subprocess.run([*command[:4], sys.executable, "-c", "exit(7)"], timeout=GIVE_UP_SECONDS).returncode == 7


def test_the_go_between_passes_the_socket_on() -> None:
    code = "import sys; sys.platform = 'darwin'; import devstack.launch as l; sys.exit(l.main(sys.argv[1:]))"
    with ports.listen(ports.HOST) as listening, socket.create_connection(listening.getsockname()) as early:
        handed = listening.fileno()
        command = [sys.executable, "-c", code, str(os.getpid()), "15", "-", str(handed)]
        assert (
            subprocess.run(
                [*command, sys.executable, "-c", ANSWERING], pass_fds=[handed], timeout=GIVE_UP_SECONDS
            ).returncode
            == 0
        )
        assert early.recv(20)
