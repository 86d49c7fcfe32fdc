"""The console where there is nothing to show yet, where nobody is signed in, and where the database is away."""

from __future__ import annotations

import asyncio

from playwright.async_api import Browser
from temporalio.client import Client

from settings import Settings
from storage.arrivals.tokens import TokenScope, add_token, make_secret
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade
from tests.console.browser.serving import Visitors, serving_console, visitors_of
from tests.console.browser.visits import DESK, DISPLAYS, PHONE_DARK, Display, layout_faults, violations, visiting
from tests.support.databases import Databases

PAGES = (
    "/",
    "/waiting",
    "/periods",
    "/periods/2022-05",
    "/invoices",
    "/accounts",
    "/sources",
    "/schedules",
    "/audit",
    "/webhook",
    "/decisions",
)


async def test_every_page_says_that_nothing_is_there_yet(
    temporal_client: Client, databases: Databases, chromium: Browser
) -> None:
    async with (
        databases.several() as fresh,
        serving_console(await fresh(upgrade), Settings(), temporal_client) as origin,
        visitors_of(chromium, origin) as visitors,
    ):
        for path in PAGES:
            assert await _faults(visitors, path, 200) == []
        assert visitors.complaints() == []


async def test_the_pages_say_that_the_database_is_away(temporal_client: Client, chromium: Browser) -> None:
    nowhere = "postgresql://u:secret@127.0.0.1:1/none"
    async with (
        serving_console(nowhere, Settings(), temporal_client) as origin,
        visitors_of(chromium, origin, status=503) as visitors,
    ):
        for path in ("/",):
            assert await _faults(visitors, path, 503) == []
        async with visitors.plain.page("/invoices", 503) as page:
            text = await page.locator("body").inner_text()
            assert "Nothing is lost" in text
            assert "Accounts" in text  # the menu
            assert "secret" not in text
        assert visitors.complaints() == []


async def _faults(visitors: Visitors, path: str, status: int) -> list[str]:
    async def one(display: Display) -> list[str]:
        async with visitors.displays[display].page(path, status) as page:
            found = await layout_faults(page)
            found += await violations(page) if display in (DESK, PHONE_DARK) else []
            return [f"{path}, {display}: {fault}" for fault in found]

    return [fault for found in await asyncio.gather(*(one(display) for display in DISPLAYS)) for fault in found]


async def test_a_person_signs_in_by_keyboard_and_lands_on_the_wanted_page(
    temporal_client: Client, databases: Databases, chromium: Browser
) -> None:
    async with databases.several() as fresh:
        url = await fresh(upgrade)
        token = await _token(url)
        async with (
            serving_console(url, Settings(), temporal_client) as origin,
            visiting(chromium, origin, PHONE_DARK) as visitor,
            visitor.page("/accounts") as page,
        ):
            assert await violations(page) == []
            assert await layout_faults(page) == []
            await page.keyboard.type("wrong")
            await page.keyboard.press("Enter")
            await page.get_by_text("This token does not open the console").wait_for()
            assert await violations(page) == []
            await page.keyboard.type(token)
            await page.keyboard.press("Enter")
            await page.wait_for_url(f"{origin}/accounts")
            assert await page.locator("h1").inner_text() == "Accounts"
        assert [complaint for complaint in visitor.complaints if "403" not in complaint] == []


async def _token(url: str) -> str:
    secret, db = make_secret(), Database(url, pool_size=1)
    assert await add_token(db, "jane", secret, TokenScope.VIEW, by="tests", expires_at=None)
    await db.close()
    return secret
