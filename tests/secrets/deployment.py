"""The product's real processes with planted secrets, logging at DEBUG, and all their output."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.until import until

PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")


@dataclass
class Deployment:
    """Starts and stops processes by name. `said` has their output, by process or command."""

    folder: Path
    common: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=itertools.count)
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def run(self, *arguments: str, status: int | None = 0, stdin: str = "", **env: str) -> str:
        """Run a command to its end, which must have this status, or any but 0. Keeps and returns its output."""
        process = await self._spawn(arguments, env, asyncio.subprocess.PIPE)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 300)
        text = out.decode() + err.decode()
        self.said[f"{next(self._number)} {' '.join(arguments)}"] = text
        assert process.returncode == status or (status is None and process.returncode), text
        return text

    def forget(self, text: str) -> None:
        """Forget commands that printed this."""
        self.said = {name: said for name, said in self.said.items() if said != text}

    async def start(self, name: str, *arguments: str, says: str, **env: str) -> None:
        """Start a long-running process and wait until its output has `says`."""
        log = self.folder / f"{next(self._number)}-{name}.log"
        with log.open("wb") as output:
            self._running[name] = await self._spawn(arguments, env, output.fileno())
        self.said[f"{name} {log.name}"] = str(log)

        async def said() -> bool:
            assert self._running[name].returncode is None, log.read_text()
            return says in log.read_text()

        await until(said, 300)

    async def stop(self, *names: str) -> None:
        """Stop the named processes by SIGTERM, or all of them."""
        for name in names or tuple(self._running):
            process = self._running.pop(name)
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 120)

    def everything(self) -> dict[str, str]:
        """Return the output of all processes and commands."""
        return {
            name: Path(text).read_text(errors="replace") if text.startswith(str(self.folder)) else text
            for name, text in self.said.items()
        }

    async def _spawn(self, arguments: Iterable[str], env: dict[str, str], output: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *PERDURE,
            *arguments,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1", **self.common, **env},
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
