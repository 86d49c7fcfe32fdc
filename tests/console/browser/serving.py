"""The console in the test's process, and people who are signed in to it as operators."""

from __future__ import annotations

import functools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from playwright.async_api import Browser
from pydantic import SecretStr
from temporalio.client import Client

from settings import Settings
from starter.cli.status.stored import waiting_terms
from starter.console.app import Console
from starter.console.auth.guard import LINK
from starter.console.services import ConsoleServices
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from tests.console.browser.visits import DESK, DISPLAYS, Display, Visitor, visiting
from tests.support.roles import as_role

SIGN_IN_SECRET = secrets.token_hex(32)


@asynccontextmanager
async def serving_console(database_url: str, settings: Settings, client: Client) -> AsyncIterator[str]:
    """Serve the console on a free port, logged in to the database as its own role. Yields its address."""
    url = as_role(database_url, CONSOLE)
    own = settings.model_copy(update={"database_url": SecretStr(url), "console_link_secret": SecretStr(SIGN_IN_SECRET)})
    db = Database(url, 5)
    services = ConsoleServices(db, own, functools.partial(waiting_terms, own), client, "0.1.0")
    runner = web.AppRunner(Console(services).application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await db.close()


@dataclass(frozen=True)
class Visitors:
    """People at one console, signed in: one for each display, and a browser without scripts."""

    displays: Mapping[Display, Visitor]
    plain: Visitor

    def complaints(self) -> list[str]:
        """Return and forget what the browsers complained about."""
        every = (*self.displays.values(), self.plain)
        found = [complaint for visitor in every for complaint in visitor.complaints]
        for visitor in every:
            visitor.complaints.clear()
        return found


@asynccontextmanager
async def visitors_of(browser: Browser, origin: str, status: int = 200) -> AsyncIterator[Visitors]:
    """Yield people who are signed in to the console, whose first page answers with this status."""
    async with AsyncExitStack() as stack:
        displays = {
            display: await stack.enter_async_context(visiting(browser, origin, display)) for display in DISPLAYS
        }
        plain = await stack.enter_async_context(visiting(browser, origin, DESK, scripts=False))
        for visitor in (*displays.values(), plain):
            async with visitor.page(f"{LINK}?secret={SIGN_IN_SECRET}", status):
                pass
        yield Visitors(displays, plain)
