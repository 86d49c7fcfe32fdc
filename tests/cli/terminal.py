"""A command on a real terminal of 80 columns."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

from tests.support.until import GIVE_UP_SECONDS

COLUMNS = 80


async def on_terminal(
    arguments: tuple[str, ...], cwd: Path, settings: Mapping[str, str], answer: str = "n"
) -> tuple[int, str]:
    """Run `perdure` with its three streams on a terminal. Returns its status and everything that it printed.

    `answer`: what is typed, whenever it is read.
    """
    return await asyncio.to_thread(_run, arguments, cwd, settings, answer)


def _run(arguments: tuple[str, ...], cwd: Path, settings: Mapping[str, str], answer: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {**os.environ, **settings, "TERM": "xterm", "NO_COLOR": "1"}
    for name in ("COLUMNS", "LINES", "FORCE_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "starter.cli.main", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    try:
        said = b"".join(iter(lambda: read(ours), b""))
        return process.wait(GIVE_UP_SECONDS), said.decode().replace("\r\n", "\n")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def read(terminal: int) -> bytes:
    """Return what was written to the terminal since the last call; nothing once the process has closed it.

    Raises:
        TimeoutError: nothing was written for too long.
    """
    if not select.select([terminal], [], [], GIVE_UP_SECONDS)[0]:
        raise TimeoutError("the command is silent")
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO
        return b""
