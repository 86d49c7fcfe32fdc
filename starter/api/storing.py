"""Storing what several requests send in one transaction, so that single events cost little when many are sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from billing.usage.events import Arrival
from storage.arrivals.events import Acceptance, accept
from storage.postgres.database import Database, DatabaseUnavailableError

_MOST = 5000
"""The arrivals of one transaction, unless a single request has more."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    arrivals: Sequence[Arrival]
    outcome: asyncio.Future[list[Acceptance]]


class Storing:
    """Stores requests in the order of their arrival. While a transaction runs, the requests after it gather.

    Each request is in one transaction, as a whole, and is answered after the commit.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    async def store(self, arrivals: Sequence[Arrival]) -> list[Acceptance]:
        """Store a request. Returns the outcome of each arrival, in order.

        Raises:
            DatabaseUnavailableError: nothing of it was stored.
        """
        if not arrivals:
            return []
        waiting = _Waiting(arrivals, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            return await waiting.outcome
        except asyncio.CancelledError:
            # A sender that repeats its request must not make more and more requests wait.
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    async def _run(self) -> None:
        while self._waiting:
            together = [self._waiting.popleft()]
            size = len(together[0].arrivals)
            while self._waiting and (size := size + len(self._waiting[0].arrivals)) <= _MOST:
                together.append(self._waiting.popleft())
            await self._store(together)

    async def _store(self, together: Sequence[_Waiting]) -> None:
        arrivals = [arrival for each in together for arrival in each.arrivals]
        (stored,) = await asyncio.gather(accept(self._db, arrivals), return_exceptions=True)
        faulty = isinstance(stored, BaseException) and not isinstance(stored, DatabaseUnavailableError)
        if not faulty or len(together) == 1:
            self._answer(together, stored)
            return
        for each in together:  # a request that the database refuses fails alone
            await self._store([each])

    @staticmethod
    def _answer(together: Sequence[_Waiting], stored: list[Acceptance] | BaseException) -> None:
        start = 0
        for each in together:
            end = start + len(each.arrivals)
            if each.outcome.done():  # its sender did not wait
                pass
            elif isinstance(stored, BaseException):
                each.outcome.set_exception(stored)
            else:
                each.outcome.set_result(stored[start:end])
            start = end
