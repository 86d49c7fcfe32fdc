"""The gate: nobody without a session, no other site, no viewer, no forged header has anything done."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web

from starter.console import pages
from starter.console.auth.people import person
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from tests.console.serving import RunningConsole, running_console

PROXY = {"console_proxy_header": "X-Forwarded-User", "console_operators": ["joe@example.com"]}
routes = web.RouteTableDef()
done: list[str] = []


@routes.post("/tests/act")
async def act(request: web.Request) -> web.Response:
    """What an action of the console would do."""
    done.append(f"{person(request).name} from {person(request).address}")
    return web.Response(text="done")


@pytest.fixture
async def acting(owner: Database, db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningConsole]:
    """A console with an action; `done` says who did it."""
    monkeypatch.setattr(pages, "PAGES", (*pages.PAGES, routes))
    done.clear()
    async with running_console(owner, db) as running:
        yield running


async def test_an_operator_acts(acting: RunningConsole) -> None:
    async with acting.signed_in(TokenScope.ACT, "an-operator") as browser:
        assert (await browser.send("/tests/act")).text == "done"
    assert done == ["an-operator from 127.0.0.1"]


async def test_a_viewer_does_not(acting: RunningConsole, caplog: pytest.LogCaptureFixture) -> None:
    async with acting.signed_in(TokenScope.VIEW, "a-viewer") as browser:
        with caplog.at_level(logging.INFO, "perdure.console"):
            refused = await browser.send("/tests/act")
    assert (refused.status, done) == (403, [])
    assert "this needs an operator" in refused.text
    lines = [each.getMessage() for each in caplog.records]
    assert lines == ["refused: POST /tests/act from 127.0.0.1: a-viewer is a viewer, and this needs an operator"]


async def test_nobody_does_without_a_session(acting: RunningConsole) -> None:
    async with acting.browser() as browser:
        refused = await browser.post("/tests/act", {"form_token": "x"})
    assert (refused.status, done) == (401, [])


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
    ids=str,
)
async def test_no_other_site_has_it_done(acting: RunningConsole, headers: Mapping[str, str]) -> None:
    async with acting.signed_in(TokenScope.ACT, f"op-{abs(hash(str(headers))) % 10**8}") as browser:
        token = (await browser.get("/")).form_token
        assert (await browser.post("/tests/act", {"form_token": token}, **headers)).status == 403
        assert done == []
        assert (await browser.post("/tests/act", {"form_token": token})).status == 200  # it was the headers


async def test_with_an_address_of_its_own_no_other_counts(owner: Database, db: Database) -> None:
    own = "https://billing.example.com"
    async with running_console(owner, db, console_url=own) as console, console.browser() as browser:
        for origin in (console.url, "http://billing.example.com", "https://billing.example.com:444"):
            assert "another site" in (await browser.post("/sign-in", {"token": "x"}, Origin=origin)).text
        assert "This token does not open" in (await browser.post("/sign-in", {"token": "x"}, Origin=own)).text


async def test_a_form_is_of_its_session(acting: RunningConsole) -> None:
    async with acting.signed_in(TokenScope.ACT, "one") as one, acting.signed_in(TokenScope.ACT, "other") as other:
        token = (await other.get("/")).form_token
        assert len(token) > 40
        for given in ({}, {"form_token": ""}, {"form_token": "ä"}, {"form_token": token}):
            refused = await one.post("/tests/act", given)
            assert (refused.status, "the form is not of this session" in refused.text) == (403, True)
    assert done == []


@pytest.mark.parametrize(
    "path",
    [
        *("/decisions?by=%00", "/decisions?%00=x", "/decisions.csv?subject=%00", "/audit?run=%00"),
        *("/invoices?account=%00", "/act/void?subject=%00", "/sign-in?to=%00", "/sources/%00", "/accounts/%00"),
    ],
)
async def test_an_address_with_a_nul_is_refused(acting: RunningConsole, path: str) -> None:
    async with acting.signed_in(TokenScope.ACT, f"nul-{abs(hash(path)) % 10**8}") as browser:
        assert (await browser.get(path)).status == 400


async def test_the_log_has_a_path_as_it_was_sent(acting: RunningConsole, caplog: pytest.LogCaptureFixture) -> None:
    async with acting.browser() as browser:
        with caplog.at_level(logging.INFO, "perdure.console"):
            await browser.get(f"/x%0Asigned%20in:%20root{'y' * 1000}", Accept="image/png")
    line = caplog.records[0].getMessage()
    assert line.startswith("refused: GET /x%0Asigned%20in:%20rooty")
    assert len(line) < 300


_FORM, _PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
MALFORMED: list[tuple[str, bytes, int]] = [
    (_FORM, b"token=\xff", 400),
    (_FORM, b"token=%00", 400),
    (f"{_FORM}; charset=nope", b"token=x", 400),
    (f"{_FORM}; charset=unicode_escape", rb"token=\ud800", 400),
    (_PARTS, b"x", 403),
    (f"{_PARTS}; boundary=a", b"--b\r\n\r\nx", 403),
    (f"{_PARTS}; boundary=a", b'--a\r\nContent-Disposition: form-data; name="token"\r\n\r\n\xff\r\n--a--', 403),
]


async def test_forms_that_cannot_be_read_are_refused_in_a_line(
    console: RunningConsole, caplog: pytest.LogCaptureFixture
) -> None:
    async with console.browser() as browser, console.signed_in(TokenScope.ACT, "a-sender") as operator:
        for kind, body, status in MALFORMED:
            for somebody, path in ((browser, "/sign-in"), (operator, "/sign-out")):
                asked = {**somebody.headers, "Content-Type": kind}
                async with somebody.session.post(f"{console.url}{path}", data=body, headers=asked) as answer:
                    assert (path, kind, answer.status) == (path, kind, status)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


async def test_only_the_proxy_says_who_somebody_is(owner: Database, db: Database) -> None:
    known = {**PROXY, "console_proxy_addresses": ["127.0.0.1"]}
    async with running_console(owner, db, **known) as console, console.browser() as browser:
        assert (await browser.get("/")).status == 303
        assert "jane@example.com" in (await browser.get("/", **{"X-Forwarded-User": "jane@example.com"})).text
        assert "· viewer" in (await browser.get("/", **{"X-Forwarded-User": "jane@example.com"})).text
        assert "· operator" in (await browser.get("/", **{"X-Forwarded-User": "joe@example.com"})).text
        assert (await browser.get("/", **{"X-Forwarded-User": "x" * 101})).status == 303
        secret = await console.token(TokenScope.ACT, "no-way-in")
        refused = await browser.sign_in(secret)
        assert (refused.status, 'name="token"' in refused.text) == (403, False)
        assert (await browser.get("/")).status == 303  # with a proxy, tokens open nothing
    other = {**PROXY, "console_proxy_addresses": ["10.0.0.0/8"]}
    async with running_console(owner, db, **other) as console, console.browser() as browser:
        assert (await browser.get("/", **{"X-Forwarded-User": "joe@example.com"})).status == 303


async def test_the_address_is_the_proxys_word_or_the_peers(
    owner: Database, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGES", (*pages.PAGES, routes))
    done.clear()
    forged = [
        (["127.0.0.1"], ["1.1.1.1, 203.0.113.9"]),
        (["127.0.0.1"], ["1.1.1.1", "203.0.113.9"]),  # a proxy that adds a line of its own
        ([], ["1.1.1.1, 203.0.113.9"]),
    ]
    for number, (proxies, lines) in enumerate(forged):
        async with (
            running_console(owner, db, console_proxy_addresses=proxies) as console,
            console.signed_in(TokenScope.ACT, f"behind-{number}") as browser,
        ):
            form = {"form_token": (await browser.get("/")).form_token}
            headers = [*browser.headers.items(), *(("X-Forwarded-For", each) for each in lines)]
            await browser.session.post(f"{console.url}/tests/act", data=form, headers=headers)
    assert done == ["behind-0 from 203.0.113.9", "behind-1 from 203.0.113.9", "behind-2 from 127.0.0.1"]


async def test_the_role_can_only_read(db: Database) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    async with db.transaction() as connection:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await connection.execute(text("UPDATE invoice SET amount = 0"))
