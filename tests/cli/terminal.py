"""A command on a real terminal of 80 columns."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import termios
from collections.abc import Mapping
from pathlib import Path

from tests.cli.forking import bare_nursery
from tests.support.until import GIVE_UP_SECONDS

COLUMNS = 80


async def on_terminal(
    arguments: tuple[str, ...], cwd: Path, settings: Mapping[str, str], answer: str = "n"
) -> tuple[int, str]:
    """Run `perdure` with its three streams on a terminal. Returns its status and everything that it printed.

    `answer`: what is typed, whenever it is read.
    """
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        os.write(ours, f"{answer}\n".encode())
        environment = {**os.environ, **settings, "TERM": "xterm", "NO_COLOR": "1"}
        for name in ("COLUMNS", "LINES", "FORCE_COLOR"):
            environment.pop(name, None)
        terminal = Path(os.ttyname(theirs))
        pid = bare_nursery().fork(list(arguments), environment, terminal, terminal, terminal, cwd)
        try:
            said = await asyncio.to_thread(_read_to_the_end, ours, pid)
        except TimeoutError:
            os.killpg(pid, signal.SIGKILL)
            raise
        status = bare_nursery().poll(pid)
        assert status is not None
        return status, said.decode().replace("\r\n", "\n")
    finally:
        os.close(theirs)
        os.close(ours)


def _read_to_the_end(terminal: int, pid: int) -> bytes:
    """Return all that the process writes to the terminal until it ends.

    Raises:
        TimeoutError: nothing was written for too long.
    """
    said, process = b"", os.pidfd_open(pid)
    try:
        while ready := select.select([terminal, process], [], [], GIVE_UP_SECONDS)[0]:
            if terminal not in ready:
                return said
            said += read(terminal)
        raise TimeoutError("the command is silent")
    finally:
        os.close(process)


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
