"""End the test run with `os._exit` after everything else is done.

A process that used a Temporal client occasionally crashes while the interpreter is torn down
(temporalio/sdk-python#300). So the root conftest registers this plugin: an exit handler that is
registered before all others, and hence runs after them, flushes and ends the process with the
run's exit status. It works for a plain run and in each worker of pytest-xdist.
"""

from __future__ import annotations

import atexit
import os
import sys

import pytest


class LeaveAtOnce:
    """Remembers the session, whose exit status is final only when the process ends."""

    def __init__(self) -> None:
        self._session: pytest.Session | None = None
        atexit.register(self._leave)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        worker = hasattr(session.config, "workerinput")
        if worker or _pytest_is_the_program():
            self._session = session

    def _leave(self) -> None:
        if self._session is None or "temporalio" not in sys.modules:
            return
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream is not None and not stream.closed:
                stream.flush()
        # Pytest itself failed after the session ended: the interpreter has shown the traceback.
        failed = getattr(sys, "last_value", None) is not None
        os._exit(int(self._session.exitstatus) or int(failed))


def _pytest_is_the_program() -> bool:
    """False where another program called `pytest.main`, whose exit status is its own."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return spec.name in ("pytest", "pytest.__main__")
    return os.path.basename(getattr(main, "__file__", "") or "") in ("pytest", "py.test")
