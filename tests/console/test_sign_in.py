"""Signing in: by a token for people alone, for as long as it holds; failures are few, and logged without secrets."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from starter.console.auth import attempts
from starter.console.auth.sessions import LIFETIME, Sessions
from storage.arrivals.tokens import TokenScope, hash_secret, make_secret, revoke_token
from storage.postgres.database import Database
from tests.console.serving import RunningConsole, running_console

LINK_SECRET = "a-link-secret-of-at-least-32-characters"
SESSION_KEY = "a-session-key-of-at-least-32-characters"


async def test_a_token_opens_it_and_the_session_closes(console: RunningConsole) -> None:
    secret = await console.token(TokenScope.VIEW, "jane")
    async with console.browser() as browser:
        first = await browser.get("/invoices?state=blocked")
        assert (first.status, first.headers["Location"]) == (303, "/sign-in?to=/invoices?state%3Dblocked")
        assert 'value="/invoices?state=blocked"' in (await browser.get(first.headers["Location"])).text
        signed_in = await browser.post("/sign-in", {"token": f" {secret} ", "to": "/invoices?state=blocked"})
        assert (signed_in.status, signed_in.headers["Location"]) == (303, "/invoices?state=blocked")
        cookie = signed_in.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
        assert secret not in cookie
        assert (await browser.get("/")).status == 200
        assert (await browser.send("/sign-out")).headers["Location"] == "/sign-in"
        assert (await browser.get("/")).status == 303


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "/\n/evil"])
async def test_it_leads_to_our_pages_alone(console: RunningConsole, to: str) -> None:
    secret = await console.token(TokenScope.VIEW, "jane")
    async with console.browser() as browser:
        assert (await browser.post("/sign-in", {"token": secret, "to": to})).headers["Location"] == "/"


@pytest.mark.parametrize("scope", [TokenScope.INGEST, TokenScope.OPERATE, TokenScope.ACCOUNTS])
async def test_tokens_of_the_api_do_not_open_it(console: RunningConsole, scope: TokenScope) -> None:
    secret = await console.token(scope, "product")
    async with console.browser() as browser:
        refused = await browser.sign_in(secret)
        assert (refused.status, "Set-Cookie" in refused.headers) == (403, False)
        assert "This token does not open the console" in refused.text
        assert secret not in refused.text


async def test_a_revoked_or_expired_token_ends_its_sessions_at_once(console: RunningConsole) -> None:
    async with console.signed_in(name="jane") as jane, console.signed_in(name="joe") as joe:
        assert [(await each.get("/")).status for each in (jane, joe)] == [200, 200]
        await revoke_token(console.db, "jane")
        async with console.db.transaction() as connection:
            await connection.execute(text("UPDATE api_token SET expires_at = now() WHERE name = 'joe'"))
        assert [(await each.get("/")).status for each in (jane, joe)] == [303, 303]
        assert (await jane.get("/", Accept="text/event-stream")).status == 401


async def test_a_session_is_ours_and_ends(console: RunningConsole) -> None:
    sessions, now = Sessions(b"k" * 32), datetime.now(UTC)
    cookie = sessions.start(hash_secret(make_secret()), now)
    assert sessions.read(cookie, now) is not None
    assert sessions.read(cookie, now + LIFETIME + timedelta(seconds=1)) is None
    assert Sessions(b"x" * 32).read(cookie, now) is None
    content, _, signature = cookie.partition(".")
    for forged in (content, f"{content}.", f".{signature}", f"{content[:-2]}AA.{signature}", "ä.ö", "a" * 5000, ""):
        assert sessions.read(forged, now) is None


def test_a_forms_id_is_ours_and_ends() -> None:
    sessions, now = Sessions(b"k" * 32), datetime.now(UTC)
    made = sessions.form_id("void\0jane", now)
    assert sessions.is_form_id(made, "void\0jane", now + LIFETIME - timedelta(seconds=2))
    assert not sessions.is_form_id(made, "void\0jane", now + LIFETIME + timedelta(seconds=2))
    assert not sessions.is_form_id(made, "void\0joe", now)
    assert not Sessions(b"x" * 32).is_form_id(made, "void\0jane", now)
    assert sessions.form_id("void\0jane", now) != made


async def test_failures_are_few_and_logged_without_secrets(
    console: RunningConsole, caplog: pytest.LogCaptureFixture
) -> None:
    good = await console.token(TokenScope.VIEW, "jane")
    secrets = [make_secret() for _ in range(attempts.MOST_OF_ONE)]
    async with console.browser() as browser:
        with caplog.at_level(logging.INFO, "perdure.console"):
            assert [(await browser.sign_in(each)).status for each in secrets] == [403] * attempts.MOST_OF_ONE
            last = await browser.sign_in(good)
    assert (last.status, "Set-Cookie" in last.headers) == (429, False)
    assert "Too many sign-ins have failed" in last.text
    assert len(caplog.records) == attempts.MOST_OF_ONE + 1
    assert not [each for each in (good, *secrets) if each in caplog.text]


def test_failures_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    failed = attempts.FailedSignIns(lambda: now[0])
    for number in range(attempts.MOST_OF_ALL):
        failed.add(f"10.0.0.{number}")
    assert failed.too_many("10.9.9.9")
    now[0] = attempts.SECONDS
    assert not failed.too_many("10.9.9.9")


async def test_the_link_signs_in_and_sessions_outlive_a_restart(owner: Database, db: Database) -> None:
    given = {"console_link_secret": LINK_SECRET, "console_session_key": SESSION_KEY}
    async with running_console(owner, db, **given) as console, console.browser() as browser:
        assert (await browser.get("/link?secret=wrong")).status == 403
        assert (await browser.get(f"/link?secret={LINK_SECRET}")).headers["Location"] == "/"
        assert "operator" in (await browser.get("/")).text
        cookies = browser.session.cookie_jar.filter_cookies(console.origin)
    async with running_console(owner, db, **given) as again, again.browser() as browser:
        browser.session.cookie_jar.update_cookies(cookies, again.origin)
        assert (await browser.get("/")).status == 200
    async with running_console(owner, db, console_session_key=SESSION_KEY) as without, without.browser() as browser:
        browser.session.cookie_jar.update_cookies(cookies, without.origin)
        assert (await browser.get("/")).status == 303


async def test_the_link_takes_its_secret_alone_and_no_other_site_follows_it(console: RunningConsole) -> None:
    secret = await console.token(TokenScope.ACT, "jane")
    async with console.browser() as browser:
        assert (await browser.get(f"/link?secret={secret}")).status == 404  # there is no link
    given = {"console_link_secret": LINK_SECRET}
    async with running_console(console.db, console.db, **given) as linked, linked.browser() as browser:
        refused = await browser.get(f"/link?secret={secret}")
        assert (refused.status, "Set-Cookie" in refused.headers) == (403, False)
        for _ in range(attempts.MOST_OF_ONE):
            elsewhere = await browser.get(f"/link?secret={LINK_SECRET}", **{"Sec-Fetch-Site": "cross-site"})
            assert (elsewhere.status, "Set-Cookie" in elsewhere.headers) == (403, False)
        assert (await browser.sign_in(secret)).status == 303  # other sites use up no failures


async def test_by_https_cookies_are_for_this_host_over_tls_alone(owner: Database, db: Database) -> None:
    given = {"console_link_secret": LINK_SECRET, "console_url": "https://billing.example.com"}
    async with running_console(owner, db, **given) as console, console.browser() as browser:
        answer = await browser.get(f"/link?secret={LINK_SECRET}")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-perdure=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
