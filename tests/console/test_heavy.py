"""Long readings: a few at the same time, given up when nobody waits for them; pages answer all the while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from starter.console import heavy, pages
from starter.console.heavy import BriefReadings
from starter.console.services import services
from storage.postgres.database import Database, DatabaseUnavailableError
from tests.console.serving import RunningConsole, running_console

HEAVY = ["/decisions.csv", "/invoices.csv", "/invoices.xlsx", "/accounts.csv", "/periods/2022-05/excluded?wait=yes"]
routes = web.RouteTableDef()
begun, given_up = asyncio.Event(), asyncio.Event()


@routes.get("/tests/heavy")
async def read_for_long(request: web.Request) -> web.Response:
    """What a slow download does."""
    async with services(request).heavy.one():
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.set()
            raise
    return web.Response()


@pytest.fixture
async def small(owner: Database, db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningConsole]:
    """A console with room for one long reading."""
    monkeypatch.setattr(pages, "PAGES", (*pages.PAGES, routes))
    monkeypatch.setattr(heavy, "WAIT_SECONDS", 0.05)
    async with running_console(owner, db, database_pool_size=3) as running:
        yield running


async def test_there_is_room_for_a_few_and_for_who_still_waits(small: RunningConsole) -> None:
    begun.clear()
    given_up.clear()
    async with small.signed_in() as browser:
        first = asyncio.ensure_future(browser.get("/tests/heavy"))
        await begun.wait()
        for path in HEAVY:
            refused = await browser.get(path)
            assert (path, refused.status, "long readings go on" in refused.text) == (path, 503, True)
        assert (await browser.get("/decisions")).status == 200
        first.cancel()  # the browser goes away
        async with asyncio.timeout(10):
            await given_up.wait()
        assert (await browser.get("/decisions.csv")).status == 200


async def test_brief_readings_share_two_connections(db: Database) -> None:
    brief = BriefReadings(db)
    async with brief.one() as first, brief.one() as second:
        assert first is second
        with pytest.raises(DatabaseUnavailableError, match="other pages"):
            async with brief.one():
                pass
    await brief.close()
