"""A process that starts tapped processes of the product: `perdure worker`, `perdure webhook`, any command.

It also starts Stripe emulators, which are not tapped: `{"emulator": true}`.

It imports the product once and forks for each process, so that the many restarts are cheap. It reads an order per line
(`{"arguments", "env", "log", "points", "execution", "output"}`) and writes a line per event: `{"pid"}` when a process
has started, `{"pid", "status"}` when it has ended. When its standard input is closed, it ends, and all its processes
with it.

The product is composed as in production; only its waits are shorter, the timeouts of `contracts/retries.py`, and its
workflows run in the sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.worker._worker import load_default_build_id

import activities
import worker
import workflows
from activities import heartbeats
from activities.sources import accepted
from campaigns.crash import taps
from campaigns.crash.fleet import LOOPS_OFF
from campaigns.crash.points import Log, Passage
from contracts import retries
from contracts.names import SOURCES_QUEUE
from starter.cli import main
from stripe_emulator import __main__ as emulator

# A killed worker's step is retried after these times; none of them affects what is written.
_PATIENCE = {
    "STRIPE_STEP": timedelta(seconds=4),
    "HEARTBEAT": timedelta(seconds=3),
    "SOURCE_READ": replace(retries.SOURCE_READ, maximum_attempts=20, initial_interval=timedelta(seconds=0.2)),
    "TRANSIENT": replace(retries.TRANSIENT, initial_interval=timedelta(seconds=0.2)),
}
_HEARTBEAT_EVERY = 0.5
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_STICKY = timedelta(seconds=1)


def serve() -> None:
    """Fork on demand until standard input ends."""
    _preload()
    load_default_build_id()  # the SDK hashes every module's code once per process: most of a worker's start
    children: set[int] = set()
    wakeup, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pending = b""
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
            _reap(children)
        if sys.stdin.fileno() not in ready:
            continue
        read = os.read(sys.stdin.fileno(), 1 << 20)
        if not read:
            break
        *lines, pending = (pending + read).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "kill" in order:
                if order["kill"] in children:
                    os.kill(order["kill"], order["signal"])
            else:
                children.add(_fork(order))
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _preload() -> None:
    """Import the modules that a worker would otherwise import when it starts."""
    for room in (activities, workflows):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(module.name)


def _reap(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        children.discard(pid)
        _tell(pid=pid, status=os.waitstatus_to_exitcode(status))


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            _become(order)
        finally:
            os._exit(70)
    _tell(pid=pid)
    return pid


def _tell(**event: int) -> None:
    os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(order["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.setsid()
    if sys.platform == "linux":  # it dies with its parent, whatever the parent dies of
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.environ.update(order["env"])
    arguments: list[str] = order["arguments"]
    if order["emulator"]:
        sys.argv = ["emulator", *arguments]
        os._exit(emulator.main())
    passage = Passage(Log(Path(order["log"])), frozenset(order["points"]))
    taps.install(passage, _command(arguments), order["execution"])
    _be_impatient(passage)
    sys.argv = ["perdure", *arguments]
    try:
        main.run()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def _command(arguments: list[str]) -> str:
    """Return the name of what writes outside of activities: a command, or the sources' worker, which registers them."""
    if arguments[0] == "worker":
        return "worker sources" if arguments[-1] == SOURCES_QUEUE else ""
    return " ".join(each for each in arguments[:2] if not each.startswith("-"))


async def _never(_db: object) -> None:
    await asyncio.Event().wait()


def _be_impatient(passage: Passage) -> None:
    for name, value in _PATIENCE.items():
        if hasattr(retries, name):
            setattr(retries, name, value)
    worker.RUNNER = worker.SANDBOX
    heartbeats._EVERY_SECONDS = _HEARTBEAT_EVERY
    if LOOPS_OFF.items() <= os.environ.items():
        vars(accepted)["drain_forever"] = _never
    make = vars(worker)["Worker"]

    @functools.wraps(make)
    def tapped(*args: Any, **kwargs: Any) -> Any:
        names = [each.__temporal_activity_definition.name for each in kwargs["activities"]]
        passage.log.append(registered=names)
        kwargs["interceptors"] = [*kwargs.get("interceptors", ()), taps.Register(passage)]
        return make(*args, **kwargs, sticky_queue_schedule_to_start_timeout=_STICKY)

    vars(worker)["Worker"] = tapped


if __name__ == "__main__":
    serve()
