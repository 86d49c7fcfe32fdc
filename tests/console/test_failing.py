"""What fails is a page that says what happened and what to do: no right to a table, a reading without end, a fault."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import text

from devstack import ports
from starter.acting.plans import Plan
from starter.console import pages
from starter.console.acting.action import ActResult, Given, Proposal
from starter.console.acting.routes import ACTIONS
from starter.console.services import ConsoleServices
from storage.arrivals.tokens import TokenScope
from storage.decisions.trail import DecisionKind, list_decisions, record_decision
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE
from tests.console.acting.forms import Operator
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


class RecordedThenAway:
    """An action that is recorded, and whose result cannot be read: PostgreSQL went away in between."""

    def __init__(self, db: Database, away: Database) -> None:
        self.db, self.away = db, away

    async def propose(self, _at: ConsoleServices, _given: Given) -> Proposal:
        """Return what would happen."""
        return Proposal(Plan("Act", [], "It is recorded."), "Act", "/")

    async def carry_out(self, _at: ConsoleServices, given: Given) -> ActResult:
        """Record it, and ask for its result."""
        async with self.db.transaction() as connection:
            await record_decision(connection, DecisionKind.VOID, "it", by=given.by, reason="", place=given.place)
        await self.away.ping()
        raise AssertionError("PostgreSQL answers")


async def test_what_was_recorded_is_not_called_undone_if_postgresql_goes_away_then(
    owner: Database, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Database(f"postgresql://u@{ports.HOST}:{ports.reserve()}/perdure")
    monkeypatch.setitem(ACTIONS, "tests", RecordedThenAway(owner, away))
    async with running_console(owner, db) as console, console.signed_in(name="kim") as browser:
        operator = Operator(browser)
        _, form = await operator.open("/act/tests?subject=it")
        seen, _ = await operator.send(form)
    await away.close()
    assert (seen.status, "PostgreSQL does not answer." in seen.text) == (503, True)
    assert "Whether it was done is not known" in seen.text
    assert "Nothing is lost" not in seen.text
    assert [each.subject for each in await list_decisions(owner, limit=9)] == ["it"]


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
