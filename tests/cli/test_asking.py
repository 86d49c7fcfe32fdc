"""A question before an action: asked on a terminal alone, and only a clear yes is a yes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from starter.cli import common, output
from tests.cli.terminal import read

ASKS = """
import typer
from starter.cli import common, output
@common.command
async def act():
    output.ask("Void it?", yes=False)
    print("done")
common.run_app(lambda: typer.run(act))
"""


def _answered(answer: bytes) -> tuple[int, str]:
    """Return the status and everything on the terminal of a process that is given this answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", ASKS],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    said = b""
    try:
        while b"[y/N] " not in said:
            said += read(ours)
        os.write(ours, answer)
        said += b"".join(iter(lambda: read(ours), b""))
        return process.wait(30), said.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("answer", ["y", "Y", "yes", " YES "])
def test_a_yes_is_a_yes(answer: str) -> None:
    status, said = _answered(f"{answer}\n".encode())
    assert (status, said.splitlines()[-1]) == (0, "done")
    assert said.startswith("Void it? [y/N] ")


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"yo\n", b"\x04"])
def test_anything_else_is_a_no(answer: bytes) -> None:
    status, said = _answered(answer)
    assert status == 1
    assert "perdure: nothing was done: the answer was not yes" in said
    assert "done\n" not in said.replace("was done", "")


def test_ctrl_c_ends_it() -> None:
    status, said = _answered(b"\x03")
    assert status == 130
    assert "Traceback" not in said


def test_without_a_terminal_it_needs_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = subprocess.run([sys.executable, "-P", "-c", ASKS], input="y\n", capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "perdure: Void it? There is no terminal to ask on: answer with --yes\n"
    output.ask("Void it?", yes=True)
    with pytest.raises(common.CommandError):
        output.ask("Void it?", yes=False)
