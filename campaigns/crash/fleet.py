"""The forking process of `worker_process.py` and the tapped processes that it starts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOOPS_OFF = {"CRASH_LOOPS": "off"}
"""The environment of a sources' worker that folds only in its activity."""


@dataclass
class Process:
    """A tapped process. `status`: the exit status once it has ended, negative for a signal."""

    pid: int
    status: asyncio.Future[int]


@dataclass
class Fleet:
    """Starts tapped processes."""

    _forking: asyncio.subprocess.Process
    _started: asyncio.Queue[Process] = field(default_factory=asyncio.Queue)
    _running: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(
        self,
        arguments: Iterable[object],
        env: Mapping[str, str],
        log: Path,
        points: Iterable[str],
        output: Path,
        execution: str = "",
    ) -> Process:
        """Start `perdure <arguments>`, to be killed once at each of the points.

        Args:
            execution: tells one execution of a command from another one; equal if it is only repeated after a kill.
        """
        chosen = {"points": sorted(points), "execution": execution, "emulator": False}
        return await self._start(arguments, output, env=dict(env), log=str(log), **chosen)

    async def start_emulator(self, arguments: Iterable[object], output: Path) -> Process:
        """Start a Stripe emulator."""
        return await self._start(arguments, output, env={}, emulator=True)

    async def _start(self, arguments: Iterable[object], output: Path, **order: Any) -> Process:
        async with self._one_at_a_time:
            self._send({**order, "arguments": [str(each) for each in arguments], "output": str(output)})
            return await self._started.get()

    async def stop(self, process: Process, number: signal.Signals = signal.SIGKILL) -> int:
        """End a process and return its status."""
        if not process.status.done():
            self._send({"kill": process.pid, "signal": int(number)})
        return await process.status

    def _send(self, order: dict[str, Any]) -> None:
        assert self._forking.stdin is not None
        self._forking.stdin.write(json.dumps(order).encode() + b"\n")

    async def listen(self) -> None:
        assert self._forking.stdout is not None
        while line := await self._forking.stdout.readline():
            event = json.loads(line)
            if "status" in event:
                self._running.pop(event["pid"]).set_result(event["status"])
            else:
                status = self._running[event["pid"]] = asyncio.get_running_loop().create_future()
                self._started.put_nowait(Process(event["pid"], status))


@asynccontextmanager
async def running_fleet() -> AsyncIterator[Fleet]:
    """Yield a fleet and end all its processes afterwards."""
    forking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "campaigns.crash.worker_process"),
        cwd=Path(__file__).parents[2],
        env=os.environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    fleet = Fleet(forking)
    listening = asyncio.create_task(fleet.listen())
    try:
        yield fleet
    finally:
        assert forking.stdin is not None
        forking.stdin.close()
        await forking.wait()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
