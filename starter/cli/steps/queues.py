"""Queues and their workers in words: one way for what waits, for the state of things and for `perdure doctor`."""

from __future__ import annotations

from billing.text import plural
from temporal.pollers import QueueState


def workers(state: QueueState) -> str:
    """Return how many workers poll a queue: `2 workers polling`, or `no worker polls it`."""
    return f"{plural(len(state.polling), 'worker')} polling" if state.polling else "no worker polls it"


def tasks(state: QueueState) -> str:
    """Return how many tasks wait for a worker, as the end of a sentence; "" if none does."""
    return f"; {plural(state.waiting_tasks, 'task')} waiting" if state.waiting_tasks else ""
