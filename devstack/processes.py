"""Child processes of the embedded stack: started, awaited, watched and stopped in order.

Every child leads its own session, so that Ctrl-C reaches only the stack, which then stops its parts in the right
order. Every child dies with the stack, even if the stack is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess  # nosec
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import PortTakenError, StackError
from devstack.log_lines import said

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_KEPT_BYTES = 20_000_000
_TAIL_BYTES = 65_536  # a line can hold a traceback
PORT_TAKEN = "address already in use"  # every server here uses these words, in upper or lower case


@dataclass(frozen=True)
class User:
    """The unprivileged user that a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass
class Child:
    """One supervised process. Start it from a thread that outlives it: the kernel ties it to that thread.

    Args:
        orphan_signal: sent when the stack is gone: by the kernel on Linux, elsewhere by an intermediary.
        listening: passed on at each start, as systemd does it (LISTEN_FDS). Connections made while the process is down
            wait for its next start.
    """

    name: str
    command: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    listening: socket.socket | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)

    @property
    def pid(self) -> int:
        """The process id; 0 if it was never started."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for the signal that ended it; None while it runs or before its start."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, and return immediately.

        Raises:
            StackError: the log file cannot be opened.
        """
        user = f"{self.user.uid}:{self.user.gid}" if self.user else "-"
        command: list[str | Path] = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid())]
        handed = [self.listening.fileno()] if self.listening else []
        command += [str(int(self.orphan_signal)), user, str(handed[0]) if handed else "-", *self.command]
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            with self.log.open("ab") as output:
                self._log_start = output.tell()
                self._process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(self.env) if self.env is not None else None,
                    cwd=self.cwd,
                    start_new_session=True,
                    pass_fds=handed,
                )
        except OSError as error:
            raise StackError(f"cannot start {self.name}: {error}") from error

    async def wait_ready(self, ready: Callable[[], Awaitable[bool]], *, timeout_seconds: float = 30) -> None:
        """Wait until `ready` returns True; if that fails, kill the process.

        Raises:
            PortTakenError: the process ended because it could not listen.
            StackError: it ended for another reason, or was not ready in time. The message has the last log lines.
        """
        try:
            await self._wait_ready(ready, timeout_seconds)
        except BaseException:
            self.kill()
            raise

    async def _wait_ready(self, ready: Callable[[], Awaitable[bool]], timeout_seconds: float) -> None:
        give_up = time.monotonic() + timeout_seconds
        while not await ready():
            if not self.running:
                message = f"{self.name} {self.ended()} while starting: {self.tail()}"
                raise (PortTakenError if PORT_TAKEN in self.tail(50).lower() else StackError)(message)
            if time.monotonic() > give_up:
                raise StackError(f"{self.name} was not ready in {timeout_seconds:g} s: {self.tail()}")
            await asyncio.sleep(0.03)

    async def wait(self) -> int:
        """Wait until it ends. Returns the exit status, negative for a signal."""
        while (status := self.exit_status) is None:
            if self._process is None:
                raise StackError(f"{self.name} was never started")
            await asyncio.sleep(0.05)
        return status

    async def stop(self, *, grace_seconds: float = 8) -> None:
        """Ask it to stop, wait, and kill it and its children if it does not."""
        if self._process is None:
            return
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), grace_seconds)
        self.kill()

    def kill(self) -> None:
        """Kill it, with the rest of its process group."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ended(self) -> str:
        """Return in words how it ended."""
        status = self.exit_status
        if status is None:
            return "is running"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with exit status {status}"

    def tail(self, lines: int = 3) -> str:
        """Return what its last log lines since its start say, as one line, and the path of the log."""
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - _TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            text = ""
        last = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
        return f"{said(last)} (log: {self.log})"
