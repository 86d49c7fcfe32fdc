"""What fails is a page that says what happened and what to do: no right to a table, a reading without end, a fault."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import text

from starter.console import pages
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from tests.console.serving import RunningConsole, running_console
from tests.support.roles import as_role

routes = web.RouteTableDef()


@routes.get("/tests/fault")
async def fail(_request: web.Request) -> web.Response:
    """What a fault of the console does."""
    raise ZeroDivisionError("secret-word")


async def test_a_reading_that_takes_too_long_is_ended(owner: Database, url: str) -> None:
    impatient = Database(as_role(url, CONSOLE), statement_timeout=timedelta(milliseconds=200))
    async with running_console(owner, impatient) as console, console.signed_in(name="joe") as browser:
        async with owner.transaction() as connection:
            await connection.execute(text("LOCK TABLE invoice"))  # no reading ends before this does
            seen = await browser.get("/invoices")
        assert (seen.status, "PostgreSQL took too long" in seen.text) == (503, True)
        assert "Ask for less" in seen.text
        assert 'aria-label="Pages"' in seen.text
        assert (await browser.get("/invoices")).status == 200
    await impatient.close()


async def test_a_fault_is_a_page_in_the_frame_and_a_traceback_in_the_log(
    owner: Database, db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pages, "PAGES", (*pages.PAGES, routes))
    async with running_console(owner, db) as console, console.signed_in(name="ann") as browser:
        seen = await browser.get("/tests/fault")
    assert (seen.status, "<h1>Internal error</h1>" in seen.text, "secret-word" in seen.text) == (500, True, False)
    assert "failed: GET /tests/fault" in caplog.text
    assert "ZeroDivisionError: secret-word" in caplog.text


async def test_a_role_without_rights_hears_what_grants_them(owner: Database, console: RunningConsole) -> None:
    secret = await console.token(TokenScope.ACT, "jane")
    async with owner.transaction() as connection:
        await connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {CONSOLE}"))
    async with console.browser() as browser:
        seen = await browser.sign_in(secret)
        assert (seen.status, "<h1>Not available</h1>" in seen.text) == (503, True)
        assert "Run `perdure db upgrade`" in seen.text
        ready = await browser.get("/readyz")
    assert ready.status == 503
    assert ready.text == "postgres lacks tables, or rights for this role: run `perdure db upgrade`\n"
