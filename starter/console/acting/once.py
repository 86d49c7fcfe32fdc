"""A form that is sent twice is carried out once: the second time gets the answer of the first."""

from __future__ import annotations

import asyncio
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
            while len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        try:
            return await asyncio.shield(known)
        except Exception:
            self._sent.pop(request, None)
            raise
