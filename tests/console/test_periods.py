"""The pages of periods: every figure adds up to the invoices, whatever is credited, voided, open or blocked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.arrivals.tokens import TokenScope
from storage.periods.published import publish
from storage.postgres.database import Database
from tests.console.serving import Browser, RunningConsole, running_console
from tests.storage.audits import CARD
from tests.storage.settled_world import settled_world
from tests.storage.usage import add_account, add_instances, execute, instance


@pytest.fixture(scope="module")
async def world(owner: Database, db: Database) -> AsyncIterator[RunningConsole]:
    await settled_world(owner)
    card = Path(__file__).parents[2] / "devstack/sample/rates.toml"
    async with running_console(owner, db, rate_card=card) as running:
        yield running


@pytest.fixture
async def viewer(world: RunningConsole) -> AsyncIterator[Browser]:
    await execute(world.db, "DELETE FROM api_token")
    async with world.signed_in(TokenScope.VIEW, "viewer") as browser:
        yield browser


def cells(html: str, caption: str) -> list[list[str]]:
    """Return the rows of a table as text, by its caption."""
    table = next(each for each in re.findall(r"<table>.*?</table>", html, re.S) if f">{caption}</caption>" in each)
    body = re.search(r"<tbody>(.*)</tbody>", table, re.S)
    assert body is not None
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body[1], re.S)
    return [[_text(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)] for row in rows]


def _text(cell: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", re.sub(r"</span><span class=\"fraction\">", "", cell)).split())


async def test_a_period_adds_up(world: RunningConsole, viewer: Browser) -> None:
    page = (await viewer.get("/periods/2022-05")).text
    by_state = {row[0]: row[1:] for row in cells(page, "Invoices by state")}
    by_class = cells(page, "By class")
    accounts = cells(page, "By net amount")
    assert by_state["voided"][0] == by_state["blocked"][0] == by_state["claimed"][0] == "1"
    for currency in ("USD", "JPY"):
        rows = [row for row in by_class if row[3].endswith(currency)]
        assert rows[-1][0] == f"All, {currency}"
        assert _sum(row[3] for row in rows[:-1]) == _sum([rows[-1][3]])
        billed = _sum(row[2] for row in accounts if row[2].endswith(currency))
        assert billed == _sum([rows[-1][3]])
        net = _sum(row[5] for row in accounts if row[5].endswith(currency))
        assert net == billed + _sum(row[3] for row in accounts if row[3].endswith(currency)) + _sum(
            row[4] for row in accounts if row[4].endswith(currency)
        )
    assert "Aurora Labs" in page
    assert "Stripe refuses it" in page
    assert 'data-live="/periods/2022-05/live"' in page
    assert page.count("<svg ") == 4


async def test_its_live_part_is_the_pages(world: RunningConsole, viewer: Browser) -> None:
    async with viewer.session.get(f"{viewer.url}/periods/2022-05/live", headers=viewer.headers) as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readline() == b"retry: 1000\n"
        await answer.content.readline()
        assert await answer.content.readline() == b"event: part\n"
        assert b"blocked" in await answer.content.readuntil(b"\n\n")


async def test_the_overview_and_the_list_say_the_same(world: RunningConsole, viewer: Browser) -> None:
    overview, listed = (await viewer.get("/")).text, (await viewer.get("/periods")).text
    assert 'Newest period with invoices <span class="quiet"><a href="/periods/2022-06">' in overview
    assert "Revenue by month and class, USD" in overview
    assert "Revenue by month and class, JPY" in overview
    assert [row[0] for row in cells(listed, "The newest first")] == ["2022-06", "2022-05"]


async def test_a_viewer_sees_what_an_operator_could_do(world: RunningConsole, viewer: Browser) -> None:
    page = (await viewer.get("/waiting")).text
    assert "needs an operator" in page
    assert 'href="/act/' not in page
    async with world.signed_in(TokenScope.ACT, "operator") as browser:
        assert 'href="/act/retry?subject=2022-05/team:e/period"' in (await browser.get("/waiting")).text


async def test_excluded_usage_has_its_reasons(world: RunningConsole, viewer: Browser) -> None:
    first = (await viewer.get("/periods/2022-05/excluded")).text
    assert 'data-live="/periods/2022-05/excluded/live"' in first
    shown = await viewer.get("/periods/2022-05/excluded?wait=yes")
    streamed = (await viewer.get("/periods/2022-05/excluded/live")).text
    assert "event: end" in streamed
    assert ("No usage of this period is excluded." in shown.text) == ("No usage" in streamed)


@pytest.mark.parametrize("path", ["/periods/2022-13", "/periods/2022-13/live", "/periods/0000-01/excluded"])
async def test_what_is_no_period(world: RunningConsole, viewer: Browser, path: str) -> None:
    seen = await viewer.get(path)
    assert seen.status == 400
    assert "is not a billing period" in seen.text


async def test_a_period_without_anything(world: RunningConsole, viewer: Browser) -> None:
    page = (await viewer.get("/periods/1999-01")).text
    assert "No invoice of this period is settled." in page
    assert 'data-live="/periods/1999-01/live"' in page  # it may be run while somebody has the page open


async def test_the_present_period_is_an_estimate(world: RunningConsole, viewer: Browser) -> None:
    assert "All usage so far, an estimate" not in (await viewer.get("/")).text
    now = datetime.now(UTC)
    await publish(world.db, "billing", CARD, {})
    await add_account(world.db, "team:now", (now - timedelta(days=40), None))
    await add_instances(world.db, instance("now", now - timedelta(days=35), None, attribution_id="team:now"))
    page = (await viewer.get("/")).text
    assert "All usage so far, an estimate, before included credits and minimum charges" in page
    assert re.search(r'<span class="quiet">about</span>\s*<span class="amount">', page)


def _sum(amounts: object) -> float:
    assert hasattr(amounts, "__iter__")
    return round(sum(float(re.sub(r"[^0-9.−]", "", each).replace("−", "-")) for each in amounts), 3)
