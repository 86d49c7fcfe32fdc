"""A live part says that it stands still while the console cannot read it, and goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from tests.console.browser.visits import DESK, visiting

PAGE = """<!doctype html><html lang="en"><title>Live</title><link rel="icon" href="data:,">
<main><div data-live="/live">first</div></main><script src="/static/console.js" defer></script></html>"""
STREAM = "event: part\ndata: second\n\nevent: end\ndata:\n\n"


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """A page whose live part is away twice, then there."""
    answers = [503, 503]

    async def live(request: web.Request) -> web.Response:
        if answers:
            return web.Response(status=answers.pop())
        return web.Response(text=STREAM, content_type="text/event-stream")

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    application.router.add_get("/live", live)
    application.router.add_static("/static", str(files("starter.console").joinpath("static")))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_part_goes_on_after_an_outage(chromium: Browser, origin: str) -> None:
    async with visiting(chromium, origin, DESK) as visitor:
        await visitor.context.clock.install()
        async with visitor.page("/") as page:
            await expect(page.get_by_role("status")).to_have_text("This part stands still for now.")
            for _ in range(2):
                async with page.expect_response("**/live"):
                    await page.clock.run_for(6000)
            await expect(page.locator("[data-live]")).to_have_text("second")
            await expect(page.get_by_role("status")).to_have_count(0)
