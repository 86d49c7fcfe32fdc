"""`make screenshots`: the pictures of the documents. Otherwise these are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, FloatRect

from tests.console.browser.accounts import CREDITED
from tests.console.browser.conftest import Seeded
from tests.console.browser.serving import serving_console, visitors_of
from tests.console.browser.visits import DESK, PHONE_DARK, Display
from tests.support.databases import Databases

FOLDER = os.environ.get("PERDURE_TEST_SCREENSHOTS", "")
MOST_BYTES = 150_000
HEIGHT = 800

pytestmark = pytest.mark.skipif(not FOLDER, reason="make screenshots")


async def test_the_pictures_are_made(seeded: Seeded, databases: Databases, chromium: Browser) -> None:
    months = seeded.months
    pictures: tuple[tuple[str, str, Display], ...] = (
        ("overview", "/", DESK),
        ("overview-phone", "/", PHONE_DARK),
        ("period", f"/periods/{months.last}", DESK),
        ("invoice", f"/invoices/{months.key(CREDITED)}", DESK),
        ("account", f"/accounts/{CREDITED}", DESK),
        ("instance", "/instances/class-change", DESK),
    )
    async with databases.several() as fresh:
        fresh.urls.append(await databases.create(seeded.template))
        async with (
            serving_console(fresh.urls[0], seeded.settings, seeded.client) as origin,
            visitors_of(chromium, origin) as visitors,
        ):
            for name, path, display in pictures:
                async with visitors.displays[display].page(path) as page:
                    part = FloatRect(x=0, y=0, width=display.width, height=HEIGHT)
                    await page.screenshot(path=Path(FOLDER) / f"{name}.png", clip=part)
    sizes = {picture.name: picture.stat().st_size for picture in Path(FOLDER).glob("*.png")}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}
