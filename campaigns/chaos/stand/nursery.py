"""Starts the product's processes by forking, so that the second of Python imports is spent once, not per process.

It runs as a script and imports nothing of this package. Its arguments are the modules to import; by default they are
those of the commands. Orders arrive on standard input, a line of JSON each:
`{"argv": [...], "env": {...}, "in": PATH, "out": PATH, "err": PATH, "cwd": PATH}` is answered with a pid,
`{"poll": PID}` with the exit status (negative: a signal) or null. A status is reported once: afterwards another process
can get the pid. Forked processes die with this process, and this process dies with its parent.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from datetime import timedelta
from io import TextIOWrapper
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_MODULES = (
    *("starter.cli.main", "starter.cli.processes.worker", "starter.cli.processes.webhook"),
    *("starter.cli.accounts.commands", "starter.cli.imports.commands", "starter.cli.period.commands"),
    *("starter.cli.invoices.commands", "starter.cli.stripe.commands"),
    *("starter.cli.processes.api", "starter.cli.sources.commands", "starter.cli.tokens.commands"),
)


def main() -> None:
    """Answer orders until standard input ends."""
    for module in sys.argv[1:] or _MODULES:
        __import__(module)
    if not sys.argv[1:]:
        _differ()
    gc.freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        answer = _poll(order["poll"]) if "poll" in order else _fork(order)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def _differ() -> None:
    """Differ from production where no setting does: sources are read again sooner, workflows run in the sandbox."""
    import worker
    from contracts import retries

    worker.RUNNER = worker.SANDBOX
    retries.SOURCE_RETRIED_AFTER = timedelta(seconds=2)


def _poll(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(order: dict[str, Any]) -> int:
    """Fork, and return the pid once the process leads its own group: a kill of the group reaches all of it."""
    ready, leading = os.pipe()
    parent = os.getpid()
    if (pid := os.fork()) == 0:
        os.close(ready)
        _become(order, parent, leading)
    os.close(leading)
    os.read(ready, 1)
    os.close(ready)
    return pid


def _become(order: dict[str, Any], parent: int, leading: int) -> NoReturn:
    """Become a process of the product, as if started by a shell. Closes `leading` once it leads a group."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    os.close(leading)
    for number, path in ((0, order["in"]), (1, order["out"]), (2, order["err"])):
        opened = os.open(path, os.O_NOCTTY | (os.O_RDONLY if number == 0 else _WRITE), 0o600)
        os.dup2(opened, number)
        os.close(opened)
    if os.isatty(1) and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["perdure", *order["argv"]]
    from starter.cli.main import run

    run()


if __name__ == "__main__":
    main()
