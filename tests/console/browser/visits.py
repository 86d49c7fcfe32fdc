"""Visits of pages: whatever the browser complains about, and each request that would leave the machine, is recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route

from tests.support.until import GIVE_UP_SECONDS, until

_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_SCRIPTS = Path(__file__).parent / "checks"


@dataclass(frozen=True)
class Display:
    """A window: its width in pixels, and whether the system's colours are dark."""

    width: int
    dark: bool

    def __str__(self) -> str:
        return f"{self.width}-{'dark' if self.dark else 'light'}"


DESK, DESK_DARK, PHONE, PHONE_DARK = Display(1400, False), Display(1400, True), Display(390, False), Display(390, True)
DISPLAYS = (DESK, DESK_DARK, PHONE, PHONE_DARK)


@dataclass
class Visitor:
    """One browser context at the console; `complaints` are the browser's, in words."""

    context: BrowserContext
    origin: str
    complaints: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def page(self, path: str, status: int = 200) -> AsyncIterator[Page]:
        """Open a page of the console, which must answer with this status."""
        page = await self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"{path}: {error}"))
        page.on("requestfailed", self._failed)
        try:
            answer = await page.goto(self.origin + path, wait_until="load")
            assert answer is not None
            assert answer.status == status, f"{path}: {answer.status}"
            yield page
            await page.wait_for_load_state("load")  # Chromium may never close a page that has begun to load another
        finally:
            await page.close()

    def _hear(self, message: ConsoleMessage) -> None:
        address, page = message.location["url"], message.page
        # A page that answers 404 or 503, as it should.
        expected = page and page.url == address and message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not expected:
            self.complaints.append(f"{address}: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # an event stream ends with its page
            self.complaints.append(f"{request.url}: {request.failure}")


@asynccontextmanager
async def visiting(
    browser: Browser, origin: str, display: Display, *, scripts: bool = True, cookies: Sequence[Any] = ()
) -> AsyncIterator[Visitor]:
    """Yield a visitor with this display. No request of it leaves the machine, and each attempt is a complaint."""
    context = await browser.new_context(
        viewport={"width": display.width, "height": 900},
        color_scheme="dark" if display.dark else "light",
        reduced_motion="reduce",
        java_script_enabled=scripts,
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(GIVE_UP_SECONDS * 1000)
    await context.add_cookies(list(cookies))
    visitor = Visitor(context, origin)
    own = urlsplit(origin).netloc

    async def check(route: Route) -> None:
        if urlsplit(route.request.url).netloc == own:
            await route.continue_()
        else:
            visitor.complaints.append(f"leaves the machine: {route.request.url}")
            await route.abort()

    await context.route("**/*", check)
    try:
        yield visitor
    finally:
        await context.close()


async def violations(page: Page) -> list[str]:
    """Return what axe finds on a page against WCAG 2 A and AA: the rule, the element, the reason."""
    await page.evaluate(_AXE)
    found = await page.evaluate(f"axe.run({json.dumps({**_RULES, 'resultTypes': ['violations']})})")
    return [
        f"{violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


async def layout_faults(page: Page) -> list[str]:
    """Return faults of the layout: it scrolls sideways, headings skip a level, there is no single main or h1."""

    async def styled() -> bool:  # after a click, the page can still be without its styles
        return bool(await page.evaluate("document.readyState === 'complete'"))

    await until(styled)
    return list(await page.evaluate((_SCRIPTS / "layout.js").read_text()))


async def focus_faults(page: Page) -> list[str]:
    """Press Tab through the whole page. Returns the controls that it does not reach, or that show no focus."""
    script = (_SCRIPTS / "focus.js").read_text()
    wanted = set(await page.evaluate(script, "controls"))
    faults: list[str] = []
    reached: set[str] = set()
    for _ in range(len(wanted) + 5):
        await page.keyboard.press("Tab")
        found = await page.evaluate(script, "focused")
        if found is None:  # past the last control; the next Tab goes to the first
            continue
        if found["name"] in reached:
            break
        reached.add(found["name"])
        if not found["visible"]:
            faults.append(f"shows no focus: {found['name']}")
    return faults + [f"Tab does not reach: {name}" for name in sorted(wanted - reached)]
