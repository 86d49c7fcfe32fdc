"""Send an answer, intact or as a fault demands."""

from __future__ import annotations

import asyncio

from aiohttp import web

from stripe_emulator.engine.faults import FaultRule

_PIECES = 10
_CUT = ("lost_request", "lost_response")


async def send(
    request: web.Request, status: int, text: str, headers: dict[str, str], fault: FaultRule | None
) -> web.StreamResponse:
    """Send the answer; a fault can lose it, truncate it, or draw it out over `seconds`."""
    data = text.encode()
    if fault is not None and fault.action in _CUT:
        return _lose(request)
    if fault is None or fault.action not in ("slow_body", "truncated_body"):
        return web.Response(body=data, status=status, headers=headers, content_type="application/json")
    response = web.StreamResponse(status=status, headers=headers)
    response.content_type = "application/json"
    response.content_length = len(data)
    await response.prepare(request)
    if fault.action == "truncated_body":
        await response.write(data[: len(data) // 2])
        return _lose(request, response)
    size = len(data) // _PIECES + 1
    starts = range(0, len(data), size)
    for start in starts:
        await asyncio.sleep(fault.seconds / len(starts))
        await response.write(data[start : start + size])
    await response.write_eof()
    return response


def _lose(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Drop the connection without sending another byte."""
    if request.transport is not None:
        request.transport.abort() if response is None else request.transport.close()
    return response or web.Response(status=500)
