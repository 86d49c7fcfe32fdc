"""The checks of pages find what is wrong with a bad page, and nothing on a good one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from playwright.async_api import Browser

from tests.console.browser.visits import DESK, PHONE_DARK, focus_faults, layout_faults, violations, visiting

GOOD = """<!doctype html><html lang="en"><title>Good</title>
<style>a { display: inline-block; padding: 6px } :focus { outline: 2px solid }</style>
<header><nav><a href="#main">To the text</a></nav></header>
<main id="main"><h1>Good</h1><h2>Links</h2><p><a href="#main">One</a> <a href="#main">Another</a></p></main></html>"""
BAD = """<!doctype html><html lang="en"><title>Bad</title><style>:focus { outline: none !important }</style>
<main><h1>Bad</h1><h3>Skipped</h3><p style="color: #ccc; background: #fff">Pale</p><div style="width: 2000px">Wide</div>
<p><a href="#a">No focus</a></p><p><a href="#b" tabindex="-1">Not reached</a></p>
<img src="http://example.invalid/spy.png" alt="spy"></main><script>missing()</script></html>"""


@pytest.fixture(scope="module")
async def origin() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=BAD if request.path == "/bad" else GOOD, content_type="text/html")

    application = web.Application()
    application.router.add_get("/{page:good|bad}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_nothing_is_wrong_with_a_good_page(chromium: Browser, origin: str) -> None:
    async with visiting(chromium, origin, PHONE_DARK) as visitor, visitor.page("/good") as page:
        assert await violations(page) == []
        assert await layout_faults(page) == []
        assert await focus_faults(page) == []
    assert visitor.complaints == []


async def test_each_fault_of_a_bad_page_is_found(chromium: Browser, origin: str) -> None:
    async with visiting(chromium, origin, DESK) as visitor, visitor.page("/bad") as page:
        found = await violations(page)
        assert [rule for rule in ("color-contrast", "heading-order") if not any(rule in each for each in found)] == []
        sideways, skipped = await layout_faults(page)
        assert "scrolls sideways: 2" in sideways
        assert "Wide" in sideways
        assert skipped == "heading 2 skips a level: 1 3"
        hidden, unreached = await focus_faults(page)
        assert hidden.startswith("shows no focus")
        assert unreached.startswith("Tab does not reach")
    assert "leaves the machine: http://example.invalid/spy.png" in visitor.complaints
    assert any("missing is not defined" in complaint for complaint in visitor.complaints)


async def test_a_page_that_scripts_do_not_complete_is_whole(chromium: Browser, origin: str) -> None:
    async with visiting(chromium, origin, DESK, scripts=False) as visitor, visitor.page("/good") as page:
        assert await page.locator("h1").inner_text() == "Good"
    assert visitor.complaints == []
