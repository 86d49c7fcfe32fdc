"""The names of crash points, and the log in which a process notes each point that it passes.

A point is named `<step>#<n>/<kind>.<ordinal>/<side>`: the n-th execution of an activity that writes (or a command, or
the webhook), the system that is written to, the ordinal of the write to it in this attempt, and before or after.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BEFORE, AFTER = "before", "after"


def step_of(point: str) -> str:
    """Return the activity's type, or the command."""
    return point.split("#")[0]


def side_of(point: str) -> str:
    return point.rpartition("/")[2]


@dataclass
class Log:
    """The actions of one stage's processes, in order. It outlives them."""

    path: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def points(self) -> list[str]:
        """Return each passed point, once."""
        return list(dict.fromkeys(line["point"] for line in self.lines() if "point" in line))

    def killed(self) -> list[str]:
        return [line["killed"] for line in self.lines() if "killed" in line]

    def ran(self) -> set[str]:
        """Return the executed activities."""
        return {line["ran"] for line in self.lines() if "ran" in line}

    def registered(self) -> set[str]:
        """Return the activities that the workers serve."""
        return {name for line in self.lines() for name in line.get("registered", ())}

    def append(self, **line: Any) -> None:
        """Append a line in a single write: processes share the file, and a kill leaves no partial line."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)


@dataclass
class Passage:
    """Notes the points that this process passes. At each chosen point it kills the process once."""

    log: Log
    chosen: frozenset[str]
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    _ordinals: dict[tuple[str, str, int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in self.log.lines():
            if "execution" in line:
                self._numbers[line["step"], line["execution"]] = line["number"]

    def write(self, step: str, execution: str, attempt: int, kind: str) -> str:
        """Return the name, without the side, of the write about to be made."""
        number = self._numbers.get((step, execution))
        if number is None:
            number = 1 + sum(1 for known, _ in self._numbers if known == step)
            self._numbers[step, execution] = number
            self.log.append(step=step, execution=execution, number=number)
        key = (step, execution, attempt, kind)
        self._ordinals[key] = ordinal = self._ordinals.get(key, 0) + 1
        return f"{step}#{number}/{kind}.{ordinal}"

    def at(self, write: str, side: str) -> None:
        """Pass the point, or kill the process there."""
        point = f"{write}/{side}"
        self.log.append(point=point)
        if point in self.chosen and point not in self.log.killed():
            self.log.append(killed=point)
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # the signal can take a moment: do nothing more until then
