"""The list of invoices, the page of an instance and the search show what the command line says of the same."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from urllib.parse import quote

import pytest

from tests.console.month import BLUE, GREY, KEY, NAME, ODD, MonthOnPages, rows, words
from tests.support.months import MAY


async def test_the_list_has_what_the_command_lists(month: MonthOnPages) -> None:
    listed = {each["key"]: each for each in await month.document("invoices", "list")}
    assert len(listed) == 2
    page = await month.page("/invoices?sort=key")
    shown = rows(page, "Invoices")
    assert [row[1] for row in shown[:2]] == sorted(listed)
    blue = listed[KEY]
    assert shown[0] == [NAME, KEY, blue["state"], "25.92 USD", "2.50 USD", "23.42 USD", shown[0][-1]]
    assert "<b>& Sons" not in page  # a name is text
    assert ["All 1 in USD, on every page", "25.92 USD", "2.50 USD", "23.42 USD", ""] in shown
    # what a spreadsheet gets has the same figures
    table = list(csv.DictReader(io.StringIO((await month.browser.get("/invoices.csv")).text)))
    assert {(row["Key"], row["Net"]) for row in table} == {(KEY, "23.42"), (f"{MAY}/{GREY}/period", "4.08")}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=sons", [KEY]),
        ("text=grey-1", [f"{MAY}/{GREY}/period"]),
        ("state=unpaid&currency=usd", [KEY]),
        ("account=user:grey", [f"{MAY}/{GREY}/period"]),
        ("least=5&period=2022-05", [KEY]),
        ("state=open", []),
        ("text=nobody", []),
    ],
)
async def test_the_list_is_filtered(month: MonthOnPages, query: str, found: list[str]) -> None:
    page = await month.page(f"/invoices?{query}")
    assert [key for key in (KEY, f"{MAY}/{GREY}/period") if f">{key}<" in page] == found
    assert ("No invoice matches." in page) is (not found)


@pytest.mark.parametrize("query", ["state=lost", "least=much", "sort=size", "period=May", "after=x", "currency=dollar"])
async def test_a_filter_that_cannot_be_read_is_said_in_the_page(month: MonthOnPages, query: str) -> None:
    page = await month.page(f"/invoices?{query}", 400)
    assert 'role="alert"' in page
    assert 'action="/invoices"' in page


async def test_every_link_leads_to_a_page(month: MonthOnPages) -> None:
    starts = ["/", "/periods", f"/periods/{MAY}", "/waiting", "/accounts", f"/accounts/{BLUE}", f"/invoices/{KEY}"]
    pages = [await month.page(start) for start in starts]
    links = {unescape(each) for page in pages for each in re.findall(r'<a [^>]*href="(/[^".]*)"', page)}  # no files
    assert len(links) > 20
    for link in sorted(links - {"/schedules"}):  # this console has no Temporal
        await month.page(link)


async def test_an_instance_shows_every_moment_and_its_rule(month: MonthOnPages) -> None:
    for id in ("blue-1", "grey-1", "blue-now"):
        explained = await month.document("explain", id)
        page = await month.page(f"/instances/{id}")
        intervals = rows(page, "Intervals, by time")
        assert len(intervals) == len(explained["intervals"])
        for row, each in zip(intervals, explained["intervals"], strict=True):
            assert row[4].replace(" ", "_") == each["fate"]
            assert row[7] == each["why"]
            assert each["invoice_key"] is None or each["invoice_key"] in row[5]
        assert rows(page, "Runtime by fate")[-1][0] == "Runtime"


async def test_what_does_not_exist_is_said_with_what_is_near(month: MonthOnPages) -> None:
    page = await month.page("/instances/blue-2", 404)
    assert "There is no such" in page
    assert "blue-1" in words(page).partition("What may be meant")[2]


async def test_the_search_finds_and_opens(month: MonthOnPages) -> None:
    stripe_id = (await month.system.invoice(KEY)).stripe_invoice_id
    for text, to in (
        ("blue-1", "/instances/blue-1"),
        (stripe_id, f"/invoices/{KEY}"),
        (BLUE, f"/accounts/{BLUE}"),
        ("SONS", f"/accounts/{BLUE}"),
        (KEY, f"/invoices/{KEY}"),
    ):
        seen = await month.browser.get(f"/search?q={text}")
        assert (seen.status, seen.headers["Location"]) == (302, to), text
    several = await month.page("/search?q=blue")
    assert {"blue-1", "blue-xl", BLUE} <= set(words(several).split())
    assert "Nothing is called" in await month.page("/search?q=%3Cscript%3E")
    assert "Write what to search for." in await month.page("/search?q=")


async def test_an_odd_id_is_found_and_opened(month: MonthOnPages) -> None:
    seen = await month.browser.get(f"/search?q={quote(ODD)}")
    assert seen.status == 302
    page = await month.page(seen.headers["Location"])
    assert f"Instance {ODD}" in words(page)
