"""Workers in the test's process, on a machine that is short of CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_SECONDS = 60


@contextmanager
def late_deadlock_detection() -> Iterator[None]:
    """Let the SDK call a workflow task deadlocked after a minute.

    It does so after two seconds, and then interrupts the workflow's thread. A process that shares two cores with many
    others does not run for so long now and then; the server repeats such a task, but the interruption is a warning,
    and warnings fail tests.
    """
    from temporalio.worker import _workflow

    original = _workflow._WorkflowWorker.__init__

    def patient(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        assert self._deadlock_timeout_seconds == 2
        self._deadlock_timeout_seconds = _SECONDS

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_workflow._WorkflowWorker, "__init__", patient)
        yield
