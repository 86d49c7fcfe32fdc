"""A form that is sent twice is carried out once: the second time gets the answer of the first."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starter.console.acting.action import ActResult

_KEPT = 1000


class Once:
    """Remembers what was sent, in this process. The actions are idempotent by themselves, the trail included."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, asyncio.Future[ActResult]] = OrderedDict()

    async def do(self, request: str, carry_out: Callable[[], Awaitable[ActResult]]) -> ActResult:
        """Carry it out, or return what was answered before to the same request. What fails can be sent again."""
        known = self._sent.get(request)
        if known is None:
            known = self._sent[request] = asyncio.ensure_future(carry_out())
            known.add_done_callback(functools.partial(self._forget_failed, request))
            while len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        return await asyncio.shield(known)

    def _forget_failed(self, request: str, done: asyncio.Future[ActResult]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._sent.pop(request, None)
