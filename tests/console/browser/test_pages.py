"""Each page of the seeded months: in every size and colour, by keyboard, and without scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.console.browser.accounts import BLUE
from tests.console.browser.conftest import Seeded
from tests.console.browser.places import SEEN_PAGES, WITH_SCRIPTS, SeenPage
from tests.console.browser.serving import Visitors, serving_console, visitors_of
from tests.console.browser.visits import DESK, DISPLAYS, PHONE_DARK, Display, focus_faults, layout_faults, violations
from tests.support.databases import Databases
from tests.support.until import until


@pytest.fixture(scope="module")
async def visitors(seeded: Seeded, databases: Databases, chromium: Browser) -> AsyncIterator[Visitors]:
    async with databases.several() as fresh:
        fresh.urls.append(await databases.create(seeded.template))
        async with (
            serving_console(fresh.urls[0], seeded.settings, seeded.client) as origin,
            visitors_of(chromium, origin) as found,
        ):
            yield found


@pytest.mark.parametrize("place", SEEN_PAGES, ids=[place.name for place in SEEN_PAGES])
async def test_the_page_is_sound(visitors: Visitors, seeded: Seeded, place: SeenPage) -> None:
    path = place.path(seeded.months)
    faults = await asyncio.gather(*(_faults(visitors, display, path, place) for display in DISPLAYS))
    assert [fault for found in faults for fault in found] == []
    assert visitors.complaints() == []


async def test_a_statement_is_sound_and_prints(visitors: Visitors, seeded: Seeded) -> None:
    """The HTML that a customer gets as a file: by axe, on a phone, and on paper."""
    own = visitors.displays[DESK]
    sent = await own.context.request.get(f"{own.origin}/statements/{seeded.months.key(BLUE)}.html")
    assert sent.status == 200
    for display in (DESK, PHONE_DARK):
        page = await visitors.displays[display].context.new_page()
        await page.set_content(await sent.text())
        assert "Aurora Analytics GmbH" in await _text(page)
        assert await layout_faults(page) + await violations(page) == []
        await page.emulate_media(media="print")
        await page.set_viewport_size({"width": 680, "height": 900})  # A4 within its margins
        assert await layout_faults(page) == []
        await page.close()


async def _faults(visitors: Visitors, display: Display, path: str, place: SeenPage) -> list[str]:
    async with visitors.displays[display].page(path, place.status) as page:
        text = await _text(page)
        found = [] if place.holds in text else [f"{place.holds!r} is missing: {text[:2000]}"]
        found += await layout_faults(page)
        if display in (DESK, PHONE_DARK):
            found += await violations(page)
        if display == DESK:
            found += await focus_faults(page)
        return [f"{display}: {fault}" for fault in found]


@pytest.mark.parametrize("name", WITH_SCRIPTS)
async def test_the_page_is_whole_without_scripts(visitors: Visitors, seeded: Seeded, name: str) -> None:
    place = next(each for each in SEEN_PAGES if each.name == name)
    path = place.path(seeded.months)
    async with (
        visitors.displays[DESK].page(path, place.status) as scripted,
        visitors.plain.page(path, place.status) as plain,
    ):

        async def agree() -> bool:  # what runs costs more by the second
            await asyncio.gather(plain.reload(), scripted.reload())
            return await _text(plain) == await _text(scripted)

        await until(agree)
    assert visitors.complaints() == []


async def _text(page: Page) -> str:
    """Return what the page says, without times that pass."""
    await page.locator(".ago").evaluate_all("all => all.forEach((each) => each.remove())")
    return await page.locator("body").inner_text()
