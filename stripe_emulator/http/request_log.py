"""The log of API requests: a JSON line each in a file, and the latest in memory."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REMEMBERED = 1000


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers by lower-case name, with the API key masked."""
    shown = {name.lower(): value for name, value in headers.items()}
    if "authorization" in shown:
        scheme, _, key = shown["authorization"].partition(" ")
        shown["authorization"] = f"{scheme} {key[:8]}***" if scheme == "Bearer" else f"{scheme} ***"
    return shown


class RequestLog:
    """The log. A request is written before its answer is sent, so a client with the answer finds the line."""

    def __init__(self, path: Path | None) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.count = 0
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")

    def write(self, entry: dict[str, Any]) -> None:
        """Append a request with the present `time`."""
        line = {"time": datetime.now(UTC).isoformat(), **entry}
        self.recent.append(line)
        self.count += 1
        if self._file is not None:
            self._file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
