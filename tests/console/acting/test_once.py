"""A form that is sent twice is carried out once; what failed can be sent again."""

from __future__ import annotations

import asyncio

import pytest

from billing.errors import InputError
from starter.console.acting.action import ActResult
from starter.console.acting.once import Once, SentOtherwiseError


async def test_the_second_sending_gets_the_answer_of_the_first() -> None:
    begun: list[int] = []
    has_begun, go_on = asyncio.Event(), asyncio.Event()

    async def carry_out() -> ActResult:
        begun.append(1)
        has_begun.set()
        await go_on.wait()
        return ActResult("done", "/")

    once = Once()
    sent = [asyncio.ensure_future(once.do("r", {"a": "1"}, carry_out)) for _ in range(3)]
    await has_begun.wait()
    sent[0].cancel()  # the browser went away: the others still get the answer
    go_on.set()
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [ActResult("done", "/")] * 2
    assert await once.do("r", {"a": "1"}, carry_out) == ActResult("done", "/")
    assert len(begun) == 1
    with pytest.raises(SentOtherwiseError):
        await once.do("r", {"a": "2"}, carry_out)
    assert len(begun) == 1
    await once.do("another", {}, carry_out)
    assert len(begun) == 2


async def test_what_failed_is_done_when_it_is_sent_again() -> None:
    async def refuse() -> ActResult:
        raise InputError("no")

    async def do() -> ActResult:
        return ActResult("done", "/")

    once = Once()
    with pytest.raises(InputError):
        await once.do("r", {"a": "1"}, refuse)
    assert (await once.do("r", {"a": "1"}, do)).said == "done"
