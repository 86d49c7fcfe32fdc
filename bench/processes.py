"""CPU seconds and peak memory of processes, by name, sampled while something runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

_SAMPLE_SECONDS = 0.1
COARSE_SECONDS = 0.5
"""For what runs longer: sampling all processes takes milliseconds of the cores that are measured."""
_MIB = 1024 * 1024
# The first of these texts that occurs in a command line names the process.
_NAMES = {
    "invoicing.shape_run billing": "floor billing worker",
    "invoicing.shape_run stripe": "floor stripe worker",
    "--queue billing": "billing worker",
    "--queue stripe": "stripe worker",
    "starter.cli.main webhook": "webhook",
    "starter.cli.main api": "api",
    "starter.cli.main metrics": "metrics",
    "starter.cli.main console": "console",
    "--queue sources": "sources worker",
    "bench.claim_run": "claim",
    "stripe_emulator": "emulator",
    "start-dev": "temporal server",
    "postgres": "postgres",
    "starter.cli.main up": "perdure up",
    "starter.cli.main": "command",
    "-m bench": "bench",
}


@dataclass(frozen=True)
class ProcessCost:
    """CPU seconds spent while the process was watched, and its peak resident memory in MiB (for PostgreSQL without
    the memory that its processes share)."""

    cpu_seconds: float
    peak_mib: float


class Watch:
    """Watches a process and all its descendants."""

    def __init__(self, root: int, sample_seconds: float = _SAMPLE_SECONDS) -> None:
        self._root = psutil.Process(root)
        self._sample_seconds = sample_seconds
        self._peaks: dict[str, float] = {}
        self._start: dict[str, float] = {}
        self._end: dict[str, float] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        stop = threading.Event()
        thread = threading.Thread(target=self._sample, args=(stop,), daemon=True)
        self._start = self._cpu()
        thread.start()
        try:
            yield
        finally:
            self._end = self._cpu()
            stop.set()
            thread.join()

    def costs(self) -> dict[str, ProcessCost]:
        """Return the cost of each kind of process, the most CPU first."""
        spent = {name: seconds - self._start.get(name, 0) for name, seconds in self._end.items()}
        ordered = sorted(spent.items(), key=lambda item: -item[1])
        return {name: ProcessCost(seconds, self._peaks.get(name, 0)) for name, seconds in ordered}

    def _tree(self) -> list[tuple[str, psutil.Process]]:
        found = []
        for process in [self._root, *self._root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                found.append((_name(process), process))
        return found

    def _cpu(self) -> dict[str, float]:
        """Return CPU seconds since the processes started, by name. PostgreSQL's include those of its ended children."""
        total: dict[str, float] = {}
        for name, process in self._tree():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                seconds = times.user + times.system
                if name == "postgres":
                    seconds += times.children_user + times.children_system
                total[name] = total.get(name, 0) + seconds
        return total

    def _sample(self, stop: threading.Event) -> None:
        while not stop.wait(self._sample_seconds):
            now: dict[str, float] = {}
            for name, process in self._tree():
                with contextlib.suppress(psutil.Error):
                    memory = process.memory_info()
                    shared = memory.shared if name == "postgres" else 0
                    now[name] = now.get(name, 0) + (memory.rss - shared) / _MIB
            for name, mib in now.items():
                self._peaks[name] = max(mib, self._peaks.get(name, 0))


def _name(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((name for part, name in _NAMES.items() if part in command), process.name())
