"""Live parts: sent when they change, ended when nothing changes any more, when the console stops, and when too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web

from devstack import ports
from starter.console import live
from starter.console.live import STREAMS, LiveStreams, stream

Parts = list[tuple[str, bool]]


@asynccontextmanager
async def _serving(parts: Parts) -> AsyncIterator[tuple[str, web.AppRunner]]:
    """Yield the address of a stream that renders these parts, one after the other, and then the last one again."""

    async def render() -> tuple[str, bool]:
        return parts.pop(0) if len(parts) > 1 else parts[0]

    async def show(request: web.Request) -> web.StreamResponse:
        return await stream(request, render, every=0.01)

    app = web.Application()
    app[STREAMS] = LiveStreams()
    app.on_shutdown.append(app[STREAMS].stop)
    app.router.add_get("/live", show)
    runner = web.AppRunner(app, shutdown_timeout=10)
    await runner.setup()
    listening = ports.listen(ports.HOST, 0)
    await web.SockSite(runner, listening).start()
    try:
        yield f"http://{ports.HOST}:{listening.getsockname()[1]}/live", runner
    finally:
        await runner.cleanup()


async def test_a_part_is_sent_when_it_changes_and_ends() -> None:
    parts = [("<p>1</p>\n<p>a</p>", True), ("<p>1</p>\n<p>a</p>", True), ("<p>2</p>", False)]
    async with _serving(parts) as (url, _), ClientSession() as session, session.get(url) as answer:
        assert answer.content_type == "text/event-stream"
        events = (await answer.text()).split("\n\n")
    assert events == [
        "retry: 1000",
        "event: part\ndata: <p>1</p>\ndata: <p>a</p>",
        ": alive",
        "event: part\ndata: <p>2</p>",
        "event: end\ndata: ",
        "",
    ]


async def test_it_ends_when_the_console_stops() -> None:
    async with _serving([("<p>1</p>", True)]) as (url, runner), ClientSession() as session, session.get(url) as answer:
        await answer.content.readline()
        await asyncio.gather(runner.cleanup(), answer.content.read())


async def test_it_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SECONDS", 0.05)
    async with _serving([("<p>1</p>", True)]) as (url, _), ClientSession() as session, session.get(url) as answer:
        assert "event: end" not in await answer.text()


async def test_there_is_room_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    async with _serving([("<p>1</p>", True)]) as (url, _), ClientSession() as session, session.get(url) as first:
        await first.content.readline()
        async with session.get(url) as second:
            assert second.status == 204
