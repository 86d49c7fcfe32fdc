"""Debian's Chromium, driven by Playwright; no browser is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

_DEBIAN = Path("/usr/lib/chromium/chromium")
"""The program itself. Debian's launcher in /usr/bin is a script that adds extensions and keys of its own."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGS = (
    "--disable-dev-shm-usage",  # /dev/shm is small in containers
    "--disable-gpu",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)


def chromium_path() -> Path | None:
    """Return the browser's program, or None if it is not installed."""
    if _DEBIAN.exists():
        return _DEBIAN
    return next((Path(found) for name in _NAMES if (found := shutil.which(name))), None)


def is_wanted() -> bool:
    """Return whether a missing browser is a failure."""
    return os.environ.get("PERDURE_TEST_BROWSER") == "1"


@asynccontextmanager
async def running_chromium(program: Path) -> AsyncIterator[Browser]:
    """Run the browser, without a window."""
    async with async_playwright() as playwright:
        # As root Chromium runs only without its sandbox. It opens nothing but our own pages here.
        browser = await playwright.chromium.launch(
            executable_path=program, args=list(_ARGS), chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            await browser.close()
