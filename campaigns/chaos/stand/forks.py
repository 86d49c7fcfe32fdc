"""Processes of the product, forked by the nursery, as children that `devstack` starts, watches and kills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from devstack.errors import StackError
from devstack.processes import LAUNCHER, Child

_SCRIPT = Path(__file__).with_name("nursery.py")
_DIES_WITHIN_SECONDS = 30.0


class Nursery:
    """The forking process; it ends with this one. Linux only: elsewhere, forking Python is not safe.

    `modules`: what it imports, instead of the commands.
    """

    def __init__(self, log: Path, environment: dict[str, str], modules: Sequence[str] = ()) -> None:
        command = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL)), "-", "-"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, sys.executable, "-P", str(_SCRIPT), *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        if self._line() != "ready":
            raise StackError(f"the nursery did not start: see {log}")

    def fork(
        self, argv: list[str], env: dict[str, str], out: Path, err: Path, stdin: Path | None = None, cwd: Path = Path()
    ) -> int:
        """Start `perdure ARGV...` and return its pid."""
        files = {"in": str(stdin or os.devnull), "out": str(out), "err": str(err), "cwd": str(cwd.absolute())}
        return int(self._ask({"argv": argv, "env": env, **files}))

    def poll(self, pid: int) -> int | None:
        """Return the exit status, once, or None while the process runs."""
        status: int | None = self._ask({"poll": pid})
        return status

    def close(self) -> None:
        """End the nursery and every process that it has started."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(order)}\n".encode())
        self._process.stdin.flush()
        return json.loads(self._line() or "null")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


@dataclass
class _Forked:
    """The part of `subprocess.Popen` that `Child` needs."""

    pid: int
    nursery: Nursery
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self.nursery.poll(self.pid)
        return self.returncode

    def wait(self) -> int:
        since = time.monotonic()
        while (status := self.poll()) is None:
            if time.monotonic() - since > _DIES_WITHIN_SECONDS:
                raise StackError(f"process {self.pid} was killed, but still runs")
            time.sleep(0.005)
        return status

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class ForkedChild(Child):
    """`perdure ARGV...` as a child of the nursery. Errors go to `errors`, or to the log if that is None."""

    def __init__(
        self, nursery: Nursery, name: str, argv: list[str], log: Path, env: dict[str, str], errors: Path | None = None
    ) -> None:
        super().__init__(name, argv, log, env)
        self._nursery, self._argv, self._variables, self._errors = nursery, argv, env, errors or log

    def start(self) -> None:
        """Fork the process."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        pid = self._nursery.fork(self._argv, self._variables, self.log, self._errors)
        self._process = cast("subprocess.Popen[bytes]", _Forked(pid, self._nursery))
