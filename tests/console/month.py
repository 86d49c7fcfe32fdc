"""A month that the product itself billed, for the tests of pages: what they show is compared with the command line."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from billing.invoice.credit_notes import CreditKind, CreditOrder
from devstack.servers.emulator import EmulatorServer
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from tests.cli.conftest import Perdure
from tests.console.serving import Browser, RunningConsole, Seen, running_console
from tests.e2e.credits import credit
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.roles import as_role
from tests.support.system import System, running_system

BLUE, GREY = "team:blue", "user:grey"
KEY = f"{MAY}/{BLUE}/period"
ODD = "a/b c?d=%25&<é>#+"
"""An instance whose id has whatever an address could stumble over."""
NAME = "Blue <b>& Sons</b>"


@dataclass
class MonthOnPages:
    """The month, a browser that has signed in, and the command line on the same database."""

    system: System
    console: RunningConsole
    browser: Browser
    perdure: Perdure
    reading: Database

    async def page(self, path: str, status: int = 200) -> str:
        """Return a page's HTML; it must have this status."""
        seen: Seen = await self.browser.get(path)
        assert seen.status == status, (path, seen.status, words(seen.text)[-500:])
        return seen.text

    @asynccontextmanager
    async def another_console(self) -> AsyncIterator[Browser]:
        """Yield a browser at another console on the same database, which finds Temporal by the present environment."""
        given = {"rate_card": self.system.settings.rate_card}
        async with (
            running_console(self.system.db, self.reading, **given) as console,
            console.signed_in(TokenScope.VIEW, "joe") as browser,
        ):
            yield browser

    async def document(self, *command: str) -> Any:
        """Return what a command prints as JSON."""
        return (await self.perdure(*command, "--json")).document


def words(page: str) -> str:
    """Return the text of a page's main part, with one space between words."""
    main = page.partition("<main")[2].partition("</main>")[0].replace('</span><span class="fraction">', "")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).replace("−", "-").split())


def rows(page: str, caption: str) -> list[list[str]]:
    """Return the cells' texts of the table with this caption, row by row, without the head."""
    table = next(each for each in page.split("<table")[1:] if f">{caption}" in html.unescape(each))
    body = table.partition("</thead>")[2].partition("</table>")[0] or table.partition("</table>")[0]
    found = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in body.split("<tr")[1:]]
    return [[words(f"<main>{cell}</main>").removeprefix(">").strip() for cell in row] for row in found]


@asynccontextmanager
async def billed_month(client: Client, url: str, emulator: EmulatorServer, folder: Path) -> AsyncIterator[MonthOnPages]:
    """Yield the month: an account with two classes, a class that changed and a credit, and another account."""
    async with running_system(client, url, emulator, folder) as system:
        await system.add_account(BLUE, ("2022-05-01", None))
        await system.add_account(GREY, ("2022-05-20", None), currency="eur")
        await system.add_instance("blue-1", BLUE, "2022-05-03T10:00", "2022-05-05T10:00")
        await system.add_instance("blue-xl", BLUE, "2022-05-04T00:00", "2022-05-04T12:00", "xl")
        await system.add_instance("grey-1", GREY, "2022-05-19T12:00", "2022-05-20T12:00")
        await system.add_instance("blue-now", BLUE, "2022-06-02T00:00", "2022-06-02T06:00")
        await system.add_instance(ODD, BLUE, "2022-06-03T00:00", "2022-06-03T01:00")
        async with system.db.transaction() as connection:
            await connection.exec_driver_sql("UPDATE account SET name = $1 WHERE attribution_id = $2", (NAME, BLUE))
        await system.run_period(MAY)
        invoice = await system.invoice(KEY)
        await credit(system, invoice, CreditOrder(CreditKind.AMOUNT, "Outage on two days", amount=250))
        await until_rested(system)
        reading = Database(as_role(url, CONSOLE), 4)
        cwd = folder / "cwd"
        cwd.mkdir()
        settings = {"DATABASE_URL": url, "RATE_CARD": str(system.settings.rate_card)}
        given = {"rate_card": system.settings.rate_card, "database_url": as_role(url, CONSOLE)}
        try:
            async with (
                running_console(system.db, reading, **given) as console,
                console.signed_in(TokenScope.VIEW) as browser,
            ):
                yield MonthOnPages(system, console, browser, Perdure(cwd, settings), reading)
        finally:
            await reading.close()
