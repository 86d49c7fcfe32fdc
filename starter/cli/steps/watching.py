"""Waiting for a workflow, and saying meanwhile what it does and what keeps it from getting on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle

from starter.cli import output
from starter.cli.steps.asking import failing_of, own_words
from starter.cli.steps.words import StepGroup, brief, sentence

R = TypeVar("R")
_EVERY_SECONDS = 2.0
_ASKING_SHARE = 10
"""Asking may take a tenth of the time."""
_LINE_EVERY_SECONDS = 10.0


class FailureWatch:
    """Asks again and again what does not get on, and says each reason once, when it first appears.

    `what`: how its lines begin.
    """

    def __init__(self, what: str, ask: Callable[[], Awaitable[list[StepGroup]]]) -> None:
        self._what = what
        self._ask = ask
        self._groups: list[StepGroup] = []
        self._said: set[tuple[object, ...]] = set()
        self._due = monotonic() + _EVERY_SECONDS

    @property
    def found(self) -> bool:
        """Whether anything did not get on when last asked."""
        return bool(self._groups)

    async def look(self) -> str:
        """Ask, if it is time to, and say what is new. Returns in a few words what does not get on; empty if all does.

        Raises:
            RPCError: Temporal cannot be reached.
        """
        now = monotonic()
        if now >= self._due:
            self._groups = await self._ask()
            self._due = monotonic() + max(_EVERY_SECONDS, _ASKING_SHARE * (monotonic() - now))
            for group in self._groups:
                if group.subject not in self._said:
                    output.complain(f"{self._what}: {sentence(group, datetime.now(UTC))}")
            self._said = {group.subject for group in self._groups}
        return "; ".join(brief(group, datetime.now(UTC)) for group in self._groups)


async def result_of(client: Client, handle: WorkflowHandle[Any, R]) -> R:
    """Wait for a workflow's result, showing what it says of itself and which of its steps fail.

    Raises:
        WorkflowFailureError: the workflow failed.
        RPCError: Temporal cannot be reached.
    """
    failures = FailureWatch(handle.id, lambda: failing_of(client, handle.id))
    result = asyncio.ensure_future(handle.result())
    said = monotonic()
    try:
        with output.progress() as bar:
            task = bar.add_task(handle.id, total=None)
            while not (await asyncio.wait([result], timeout=_EVERY_SECONDS))[0]:
                fails = await failures.look()
                words = None if fails else await own_words(handle)
                bar.update(task, description=f"waiting: {fails}" if fails else words or handle.id)
                if words and not output.shows_progress() and monotonic() - said >= _LINE_EVERY_SECONDS:
                    said = monotonic()
                    output.complain(f"{handle.id}: {words}")
        return await result
    finally:
        result.cancel()
