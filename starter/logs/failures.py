"""Exceptions in the log: an expected failure is one line, and a traceback is a bug."""

from __future__ import annotations

import traceback
from collections.abc import Callable, MutableMapping
from typing import Any

from billing.errors import PerdureError
from settings import SettingsError
from starter.logs.fields import one_line

Expected = Callable[[BaseException], tuple[str, str] | None]
"""Returns the kind and the text of a failure that is expected, or None for any other."""


def expected_of_ours(error: BaseException) -> tuple[str, str] | None:
    """Return the class and text of an error that our code raises on purpose."""
    return (type(error).__name__, str(error)) if isinstance(error, PerdureError | SettingsError) else None


class Failures:
    """Puts an exception's kind and text into fields. An unexpected one keeps its traceback, in `exception`."""

    def __init__(self, *expected: Expected, tracebacks: bool = False) -> None:
        """`expected`: recognize expected failures besides our own. `tracebacks`: whether expected ones keep theirs."""
        self._expected = (expected_of_ours, *expected)
        self._tracebacks = tracebacks

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Replace `exc_info` of a record."""
        given = event.pop("exc_info", None)
        error = given[1] if isinstance(given, tuple) else given
        if not isinstance(error, BaseException):
            return event
        known = next(filter(None, (tell(error) for tell in self._expected)), None)
        kind, text = known or (type(error).__name__, str(error))
        event["error_kind"], event["error"] = kind, one_line(text)
        if known is None or self._tracebacks:
            event["exception"] = "".join(traceback.format_exception(error)).rstrip()
        return event
