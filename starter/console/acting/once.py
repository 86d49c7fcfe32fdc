"""A form that is sent twice is carried out once: the second time gets the answer of the first."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from billing.errors import InputError
from starter.console.acting.action import ActResult

_KEPT = 1000


class SentOtherwiseError(InputError):
    """A form was sent with other values before."""


class Once:
    """Remembers what was sent, in this process. The actions are idempotent by themselves, the trail included."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, tuple[object, asyncio.Future[ActResult]]] = OrderedDict()

    async def do(self, request: str, values: object, carry_out: Callable[[], Awaitable[ActResult]]) -> ActResult:
        """Carry it out, or return what was answered before to the same request. What fails can be sent again.

        Raises:
            SentOtherwiseError: the request was sent before with other values: its answer would be that of another deed.
        """
        known = self._sent.get(request)
        if known is None:
            done = asyncio.ensure_future(carry_out())
            known = self._sent[request] = (values, done)
            done.add_done_callback(functools.partial(self._forget_failed, request))
            while len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        if known[0] != values:
            raise SentOtherwiseError("this form was sent before, with other values")
        return await asyncio.shield(known[1])

    def _forget_failed(self, request: str, done: asyncio.Future[ActResult]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._sent.pop(request, None)
