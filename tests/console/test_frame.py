"""The frame: every page has it, errors too; assets are ours, and kept by browsers until they change."""

from __future__ import annotations

import re

import pytest

from devstack import ports
from starter.console.auth.headers import CONTENT_SECURITY_POLICY
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from tests.console.serving import RunningConsole, running_console


async def test_the_first_page(console: RunningConsole) -> None:
    async with console.signed_in(TokenScope.VIEW) as browser:
        seen = await browser.get("/")
    assert seen.status == 200
    assert seen.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert seen.headers["Cache-Control"] == "no-store"
    assert seen.headers["Server"] == "perdure"
    assert '<a href="/" aria-current="page">Overview</a>' in seen.text
    assert "jane" in seen.text
    assert not re.search(r"<script[^>]*>[^<]|<style|\son\w+=|\sstyle=", seen.text)  # nothing that the policy forbids


async def test_its_assets_are_there_and_kept(console: RunningConsole) -> None:
    async with console.browser() as browser:
        page = (await browser.get("/sign-in")).text
        assets = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
        assert len(assets) >= 4
        for each in assets:
            found = await browser.get(each)
            assert (found.status, "immutable" in found.headers["Cache-Control"]) == (200, True), each
    assert not re.search(r'(?:href|src|action)="(?!/|#)', page)  # no address but our own


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing", "/static/../app.py", "/static/%2e%2e/app.py"])
async def test_what_is_not_there(console: RunningConsole, path: str) -> None:
    async with console.signed_in() as browser:
        seen = await browser.get(path)
    assert seen.status == 404
    assert path.startswith("/static") or "<h1>Not found</h1>" in seen.text
    assert path.startswith("/static") or 'aria-label="Pages"' in seen.text


async def test_the_health(console: RunningConsole) -> None:
    async with console.browser() as browser:
        assert [(await browser.get(path)).status for path in ("/livez", "/healthz", "/readyz")] == [200, 200, 200]


async def test_a_database_that_is_away_is_a_page_without_its_address(
    owner: Database, caplog: pytest.LogCaptureFixture
) -> None:
    port = ports.reserve()
    away = Database(f"postgresql://somebody:secret-word@{ports.HOST}:{port}/perdure")
    async with running_console(owner, away) as console, console.browser() as browser:
        seen = await browser.sign_in("pdr_" + "x" * 43)
        assert (await browser.get("/readyz")).status == 503
    await away.close()
    assert seen.status == 503
    assert "<h1>Not available</h1>" in seen.text
    assert "PostgreSQL does not answer." in seen.text
    assert str(port) not in seen.text.replace(console.url, "")
    assert f"{ports.HOST}:{port}" in caplog.text
    assert "secret-word" not in caplog.text + seen.text
