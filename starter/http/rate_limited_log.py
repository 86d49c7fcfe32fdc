"""Rate-limited log lines, for events that anyone can trigger: a few of each kind per minute, then only a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LINES = 10
SECONDS = 60.0


class SparingLog:
    """Writes at most `lines` lines of each kind in `seconds`; the next line says how many were left out.

    A kind is a message before its arguments are filled in. Messages are constants of the code, so kinds are few.
    """

    def __init__(
        self,
        logger: logging.Logger,
        lines: int = LINES,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._lines, self._seconds, self._clock = lines, seconds, clock
        self._kinds: dict[str, tuple[float, int]] = {}  # start of the interval, number of lines

    def info(self, message: str, *values: object) -> None:
        """Log a line of level INFO."""
        self._log(logging.INFO, message, values)

    def warning(self, message: str, *values: object) -> None:
        """Log a line of level WARNING."""
        self._log(logging.WARNING, message, values)

    def error(self, message: str, *values: object) -> None:
        """Log a line of level ERROR."""
        self._log(logging.ERROR, message, values)

    def exception(self, message: str, *values: object) -> None:
        """Log a line of level ERROR, with the traceback of the exception that is being handled."""
        self._log(logging.ERROR, message, values, traceback=True)

    def _log(self, level: int, message: str, values: tuple[object, ...], *, traceback: bool = False) -> None:
        now = self._clock()
        since, count = self._kinds.get(message, (now, 0))
        if now - since >= self._seconds:
            if count > self._lines:
                more = f"{message} (and %d more like this)"
                self._logger.log(level, more, *values, count - self._lines, exc_info=traceback)
                self._kinds[message] = (now, 1)
                return
            since, count = now, 0
        self._kinds[message] = (since, count + 1)
        if count < self._lines:
            self._logger.log(level, message, *values, exc_info=traceback)
